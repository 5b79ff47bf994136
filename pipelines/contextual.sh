#!/usr/bin/env bash
# Contextual only: no camera, nobody is looked at. The advertisement is chosen by what the programme is about.
# LEDGER=FILE records what ran, for facialads report; -m behind gst-launch-1.0 shows why an advertisement was skipped.
#
#   PROGRAMME=show.mp4 CAMPAIGNS=campaigns.toml BREAKS=10+5,40+15 OUT=out.mp4 pipelines/contextual.sh
set -euo pipefail
: "${PROGRAMME:?set PROGRAMME to the file or URI of the programme}"
: "${CAMPAIGNS:?set CAMPAIGNS to a campaign file or folder}"
: "${OUT:?set OUT to the file to write}"
BREAKS=${BREAKS:-10+5}
case $PROGRAMME in *://*) uri=$PROGRAMME ;; *) uri=file://$(realpath "$PROGRAMME") ;; esac

# Sound has a branch of its own only where the programme has any: a branch that gets nothing would wait for ever.
sound=(
    programme. ! queue ! audioconvert ! audioresample ! queue ! ads.sink_audio_0
    ads.src_audio_0 ! queue ! audioconvert ! avenc_aac ! queue ! mux.
)
ffprobe -v error -select_streams a -show_entries stream=index -of csv=p=0 "$PROGRAMME" | grep -q . || sound=()

exec gst-launch-1.0 -e \
    adinsert name=ads mode=replace breaks="$BREAKS" campaigns="$CAMPAIGNS" ${LEDGER:+ledger="$LEDGER"} \
    uridecodebin uri="$uri" name=programme \
    programme. ! queue ! videoconvert ! subjectclassify ! queue ! ads.sink_video \
    ads.src_video ! queue ! videoconvert ! x264enc speed-preset=veryfast ! h264parse ! queue ! mux. \
    "${sound[@]}" \
    mp4mux name=mux ! filesink location="$OUT"
