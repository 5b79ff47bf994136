#!/usr/bin/env bash
# Runs the signage job in real time for SOAK_MINUTES (60) and prints the memory of the process as it goes: one screen, a
# camera with people who come and go, a break every 15 seconds. Ends with the means of the first and the last quarter.
set -euo pipefail
cd "$(dirname "$0")/.."
ulimit -c 0
# First face analysis alone, as fast as it goes, on FACIALADS_SOAK_FRAMES (200,000) frames of people who come and go; its figures
# are in out/soak/analysis.json.
mkdir -p out/soak
FACIALADS_SOAK_FRAMES=${FACIALADS_SOAK_FRAMES:-200000} FACIALADS_SOAK_JSON=$PWD/out/soak/analysis.json \
    cargo test --release -p gst-plugin-facialads --test analysis_soak -- --nocapture
# Then analysis and splicing on the GPU, where there is one, on FACIALADS_SOAK_GPU_FRAMES (100,000): the card's memory too must
# not grow. Its figures are in out/soak/gpu.json.
if nvidia-smi -L 2> /dev/null | grep -q GPU; then
    FACIALADS_SOAK_GPU=1 FACIALADS_SOAK_FRAMES=${FACIALADS_SOAK_GPU_FRAMES:-100000} \
        FACIALADS_SOAK_JSON=$PWD/out/soak/gpu.json \
        cargo test --release -p gst-plugin-facialads --test gpu_soak -- --nocapture
else
    echo "no NVIDIA GPU here (nvidia-smi lists none): the soak on a GPU is not run"
fi
minutes=${SOAK_MINUTES:-60}
out=$PWD/out/soak
mkdir -p "$out"
export GST_PLUGIN_PATH=$PWD/target/release GST_REGISTRY=$out/registry.bin
demo/media.sh "$PWD/out/media"
sed "s#\"media/#\"$PWD/out/media/#" demo/campaigns.toml > "$out/campaigns.toml"
rm -f "$out"/*.db*
target/release/facialads consent grant --store "$out/consent.db" --screen soak --adult \
    --purposes measurement,demographics,personalisation --minutes $((minutes + 5)) > /dev/null
breaks=$(seq -s, 10 15 $((minutes * 60)) | sed 's/\([0-9]*\)/\1+5/g')
frames=$((minutes * 60 * 25))

gst-launch-1.0 -q -e \
    adinsert name=ads breaks="$breaks" campaigns="$out/campaigns.toml" screen=soak ledger="$out/ledger.db" \
    videotestsrc is-live=true num-buffers=$frames pattern=smpte ! video/x-raw,width=1280,height=720,framerate=25/1 \
        ! subjectclassify ! queue ! ads.sink_video \
    audiotestsrc is-live=true num-buffers=$((frames * 2)) samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 \
        ! queue ! ads.sink_audio_0 \
    multifilesrc location="$out/../media/audience.mp4" loop=true ! decodebin3 ! identity sync=true ! videoconvert \
        ! consentgate screen=soak store="$out/consent.db" ! faceanalyze ! queue ! ads.sink_audience \
    ads.src_video ! queue ! fakesink sync=true ads.src_audio_0 ! queue ! fakesink sync=true > "$out/log.txt" 2>&1 &
job=$!
: > "$out/rss.txt"
while kill -0 $job 2>/dev/null; do
    awk -v at="$SECONDS" '/^VmRSS/ { print at, $2 }' /proc/$job/status 2>/dev/null | tee -a "$out/rss.txt" || true
    sleep 10
done
wait $job
awk '{ at[NR] = $2 } END {
    q = int(NR / 4); if (q < 1) { print "too short to compare"; exit }
    for (i = 1; i <= q; i++) { first += at[i]; last += at[NR - q + i] }
    printf "memory, first quarter %.1f MB, last quarter %.1f MB (%+.1f %%)\n", first / q / 1024, last / q / 1024, (last / first - 1) * 100
}' "$out/rss.txt"
target/release/facialads report --ledger "$out/ledger.db" --k 1 --table | tail -n 3
