#!/usr/bin/env bash
# Digital signage: a camera looks at the people in front of a screen that plays PROGRAMME. While someone has agreed
# (facialads consent grant --screen lobby …), the advertisement in each break is chosen for who is there; otherwise it
# is chosen by the programme's own subject.
# CAMERA, VIDEO_SINK and AUDIO_SINK are elements (CAMERA="videotestsrc is-live=true" to try
# it without one), CONSENT the consent store if not the user's own, LEDGER a file for facialads report. -m behind
# gst-launch-1.0 shows whether the gate is open and why an advertisement was skipped.
#
#   PROGRAMME=show.mp4 CAMPAIGNS=campaigns.toml pipelines/signage.sh
set -euo pipefail
ulimit -c 0 # a core dump could hold a picture of somebody
: "${PROGRAMME:?set PROGRAMME to the file or URI that the screen plays}"
: "${CAMPAIGNS:?set CAMPAIGNS to a campaign file or folder}"
SCREEN=${SCREEN:-lobby}
BREAKS=${BREAKS:-60+30,180+30}
CAMERA=${CAMERA:-v4l2src device=/dev/video0}
VIDEO_SINK=${VIDEO_SINK:-autovideosink}
AUDIO_SINK=${AUDIO_SINK:-autoaudiosink}
case $PROGRAMME in *://*) uri=$PROGRAMME ;; *) uri=file://$(realpath "$PROGRAMME") ;; esac

# shellcheck disable=SC2086,SC2206  # elements are meant to be split into words
# Sound has a branch of its own only where the programme has any: a branch that gets nothing would wait for ever.
sound=(
    programme. ! queue ! audioconvert ! audioresample ! queue ! ads.sink_audio_0
    ads.src_audio_0 ! queue ! audioconvert ! $AUDIO_SINK
)
ffprobe -v error -select_streams a -show_entries stream=index -of csv=p=0 "$PROGRAMME" | grep -q . || sound=()

exec gst-launch-1.0 -e \
    adinsert name=ads mode=replace breaks="$BREAKS" campaigns="$CAMPAIGNS" screen="$SCREEN" \
        ${LEDGER:+ledger="$LEDGER"} \
    uridecodebin uri="$uri" name=programme \
    programme. ! queue ! videoconvert ! subjectclassify ! queue ! ads.sink_video \
    $CAMERA ! videoconvert ! consentgate screen="$SCREEN" ${CONSENT:+store="$CONSENT"} ${LEDGER:+ledger="$LEDGER"} \
        ! faceanalyze ! queue ! ads.sink_audience \
    ads.src_video ! queue ! videoconvert ! $VIDEO_SINK \
    "${sound[@]}"
