#!/usr/bin/env bash
# The demonstration: one pipeline that looks at an audience (with consent) and at a programme, chooses an advertisement
# for each break, splices it in to the frame, and leaves the proof. Then once more without consent.
set -euo pipefail
cd "$(dirname "$0")/.."
ulimit -c 0 # a core dump could hold a picture of somebody
out=$(realpath -m "${OUT:-out}")
build=$PWD/target/${BUILD:-release}
facialads=$build/facialads
export GST_PLUGIN_PATH=$build
export GST_REGISTRY=$out/registry.bin
export FACIALADS_MODELS=${FACIALADS_MODELS:-$PWD/.cache/models}
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/.cache/lib/libonnxruntime.so}
breaks=10+5,24+5,38+5,54+5

mkdir -p "$out"
echo "== Making the audience, the programme and four creatives in $out/media"
demo/media.sh "$out/media"
cp demo/campaigns.toml "$out/campaigns.toml"
rm -f "$out"/{consent,no-consent,ledger,no-consent-ledger}.db{,-wal,-shm}
"$facialads" ads check "$out/campaigns.toml"

# One line does the whole job. $1: consent store, $2: ledger, $3: result, $4: what happens to the camera's picture.
pipeline() {
    cat <<PIPELINE
gst-launch-1.0 -e -m \\
  adinsert name=ads mode=replace breaks=$breaks campaigns=$out/campaigns.toml screen=demo ledger=$2 \\
  uridecodebin uri=file://$out/media/programme.mp4 name=programme \\
  programme. ! queue ! videoconvert ! subjectclassify ! queue max-size-time=4000000000 max-size-bytes=0 max-size-buffers=0 ! ads.sink_video \\
  programme. ! queue ! audioconvert ! audioresample ! queue max-size-time=4000000000 max-size-bytes=0 max-size-buffers=0 ! ads.sink_audio_0 \\
  uridecodebin uri=file://$out/media/audience.mp4 ! videoconvert ! consentgate screen=demo store=$1 ledger=$2 \\
    ! faceanalyze inference-interval=3 seed=1 name=faces ! $4 queue ! ads.sink_audience \\
  ads.src_video ! queue ! videoconvert ! x264enc speed-preset=veryfast quantizer=20 key-int-max=25 ! h264parse ! queue ! mux. \\
  ads.src_audio_0 ! queue ! audioconvert ! avenc_aac bitrate=128000 ! queue ! mux. \\
  mp4mux name=mux ! filesink location=$3
PIPELINE
}
record="audienceoverlay ! tee name=seen seen. ! queue ! videoconvert ! x264enc speed-preset=veryfast ! h264parse ! mp4mux ! filesink location=$out/audience.mp4 seen. !"

echo
echo "== A viewer agrees: counting, age and gender, and choosing advertisements by them; an adult; for 15 minutes"
"$facialads" consent grant --store "$out/consent.db" --screen demo --adult \
    --purposes measurement,demographics,personalisation --minutes 15 --json > "$out/receipt.json"
receipt=$(sed -n 's/.*"receipt": "\(.*\)".*/\1/p' "$out/receipt.json")
echo "   (the receipt, which the viewer keeps and can withdraw with, is in $out/receipt.json)"

run() { # what to show, then the pipeline's arguments
    local line
    line=$(pipeline "${@:2}")
    echo
    echo "$line"
    echo
    if ! bash -c "$line" > "$1" 2>&1; then
        tail -n 20 "$1" >&2
        echo "demo: the pipeline failed; its whole output is in $1" >&2
        exit 1
    fi
}
looked() { # how often a network looked at people, from the messages of a run
    sed -n 's/.*facialads-faceanalyze-stats.*inference-calls=(guint64)\([0-9]*\).*/inference calls on people: \1/p' "$1"
}
echo
echo "== With consent"
run "$out/pipeline.log" "$out/consent.db" "$out/ledger.db" "$out/demo.mp4" "$record"
"$facialads" report --ledger "$out/ledger.db" --campaigns "$out/campaigns.toml" --k 1 --html "$out/report.html" --table
looked "$out/pipeline.log"

echo
echo "== The viewer withdraws. The same line again: nobody is looked at, the programme's subject decides"
"$facialads" consent withdraw --store "$out/consent.db" "$receipt"
run "$out/no-consent.log" "$out/consent.db" "$out/no-consent-ledger.db" "$out/no-consent.mp4" ""
"$facialads" report --ledger "$out/no-consent-ledger.db" --k 1 --table
looked "$out/no-consent.log"

# Four pictures of each break: the last of the programme, the first and the last of the advertisement, the programme again.
select=$(tr ',' '\n' <<<"$breaks" | awk -F+ '{ a = $1 * 25; b = a + $2 * 25; printf "%seq(n\\,%d)+eq(n\\,%d)+eq(n\\,%d)+eq(n\\,%d)", (NR > 1 ? "+" : ""), a - 1, a, b - 1, b }')
ffmpeg -nostdin -v error -y -i "$out/demo.mp4" -vf "select='$select',scale=320:-1,tile=4x4:padding=4:color=white" \
    -fps_mode vfr -frames:v 1 "$out/contact-sheet.png"

echo
echo "The programme with its advertisements: $out/demo.mp4"
echo "What the analysis saw, drawn:          $out/audience.mp4"
echo "The report:                            $out/report.html"
echo "The splices, frame by frame:           $out/contact-sheet.png"
