#!/usr/bin/env bash
# On an NVIDIA GPU: PROGRAMME (an MP4 file with H.264) is decoded, looked at, spliced and encoded without leaving its memory;
# advertisements are decoded into the same memory. Writes OUT.
# Not verified on a real card yet: tested with stand-ins for its decoder, its encoder and its driver only (docs/gpu.md).
# Many data-centre cards have no encoder: VIDEO_ENCODER="cudadownload ! videoconvert ! x264enc tune=zerolatency".
# VIDEO_DECODER, if not nvh264dec, is what else brings frames there: "avdec_h264 ! videoconvert ! cudaupload". DEVICE is
# subjectclassify's.
# -m behind gst-launch-1.0 shows why an advertisement was skipped.
#
#   PROGRAMME=show.mp4 ADS=one.mp4,two.mp4 BREAKS=10,40 OUT=with-ads.mp4 pipelines/gpu-file-to-file.sh
set -euo pipefail
: "${PROGRAMME:?set PROGRAMME to the file that gets the advertisements}"
: "${OUT:?set OUT to the file to write}"
: "${ADS:?set ADS to one or more creatives, separated by commas}"
BREAKS=${BREAKS:-10}
DEVICE=${DEVICE:-cuda}
VIDEO_DECODER=${VIDEO_DECODER:-nvh264dec}
VIDEO_ENCODER=${VIDEO_ENCODER:-nvh264enc}

# Sound has a branch of its own only where the programme has any: a branch that gets nothing would wait for ever.
sound=(
    programme.audio_0 ! queue ! decodebin ! audioconvert ! audioresample ! queue ! ads.sink_audio_0
    ads.src_audio_0 ! queue ! audioconvert ! avenc_aac ! queue ! mux.
)
ffprobe -v error -select_streams a -show_entries stream=index -of csv=p=0 "$PROGRAMME" | grep -q . || sound=()

# The queues hold little: each frame in them is one in the GPU's memory.
# shellcheck disable=SC2086  # decoder and encoder may be several elements
exec gst-launch-1.0 -e \
    adinsert name=ads mode=replace breaks="$BREAKS" ads="$ADS" ${LEDGER:+ledger="$LEDGER"} \
    filesrc location="$PROGRAMME" ! qtdemux name=programme \
    programme.video_0 ! queue ! h264parse ! $VIDEO_DECODER ! "video/x-raw(memory:CUDAMemory)" \
        ! subjectclassify device="$DEVICE" ! queue max-size-buffers=4 ! ads.sink_video \
    ads.src_video ! queue max-size-buffers=4 ! $VIDEO_ENCODER ! h264parse ! queue ! mux. \
    "${sound[@]}" \
    mp4mux name=mux ! filesink location="$OUT"
