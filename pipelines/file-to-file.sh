#!/usr/bin/env bash
# File to file: inserts advertisements between frames of PROGRAMME, which waits for them, and writes OUT. Nothing of the
# programme is lost; the result is longer by a whole number of frames for each break.
# PROGRAMME is a path here, not an address; -m behind gst-launch-1.0 shows why an advertisement was skipped.
#
#   PROGRAMME=show.mp4 ADS=one.mp4,two.mp4 BREAKS=10,40 OUT=with-ads.mp4 pipelines/file-to-file.sh
set -euo pipefail
: "${PROGRAMME:?set PROGRAMME to the file that gets the advertisements}"
: "${OUT:?set OUT to the file to write}"
: "${ADS:?set ADS to one or more creatives, separated by commas}"
BREAKS=${BREAKS:-10}

# Sound has a branch of its own only where the programme has any: a branch that gets nothing would wait for ever.
sound=(
    programme. ! queue ! audioconvert ! audioresample ! queue ! ads.sink_audio_0
    ads.src_audio_0 ! queue ! audioconvert ! avenc_aac ! queue ! mux.
)
ffprobe -v error -select_streams a -show_entries stream=index -of csv=p=0 "$PROGRAMME" | grep -q . || sound=()

# The queues before adinsert hold what arrives on one pad while the other waits for the advertisement.
exec gst-launch-1.0 -e \
    adinsert name=ads mode=insert breaks="$BREAKS" ads="$ADS" ${LEDGER:+ledger="$LEDGER"} \
    uridecodebin uri="file://$(realpath "$PROGRAMME")" name=programme \
    programme. ! queue ! videoconvert ! queue ! ads.sink_video \
    ads.src_video ! queue ! videoconvert ! x264enc speed-preset=veryfast ! h264parse ! queue ! mux. \
    "${sound[@]}" \
    mp4mux name=mux ! filesink location="$OUT"
