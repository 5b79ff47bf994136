#!/usr/bin/env bash
# Contextual only: no camera, nobody is looked at. The advertisement is chosen by what the programme is about.
# PROGRAMME needs sound: without any this line waits for it for ever. Take the audio lines out then.
# LEDGER=FILE records what ran, for facialads report; -m behind gst-launch-1.0 shows why an advertisement was skipped.
#
#   PROGRAMME=show.mp4 CAMPAIGNS=campaigns.toml BREAKS=10+5,40+15 OUT=out.mp4 pipelines/contextual.sh
set -euo pipefail
: "${PROGRAMME:?set PROGRAMME to the file or URI of the programme}"
: "${CAMPAIGNS:?set CAMPAIGNS to a campaign file or folder}"
: "${OUT:?set OUT to the file to write}"
BREAKS=${BREAKS:-10+5}
case $PROGRAMME in *://*) uri=$PROGRAMME ;; *) uri=file://$(realpath "$PROGRAMME") ;; esac

exec gst-launch-1.0 -e \
    adinsert name=ads mode=replace breaks="$BREAKS" campaigns="$CAMPAIGNS" ${LEDGER:+ledger="$LEDGER"} \
    uridecodebin uri="$uri" name=programme \
    programme. ! queue ! videoconvert ! subjectclassify ! queue ! ads.sink_video \
    programme. ! queue ! audioconvert ! audioresample ! queue ! ads.sink_audio_0 \
    ads.src_video ! queue ! videoconvert ! x264enc speed-preset=veryfast ! h264parse ! queue ! mux. \
    ads.src_audio_0 ! queue ! audioconvert ! avenc_aac ! queue ! mux. \
    mp4mux name=mux ! filesink location="$OUT"
