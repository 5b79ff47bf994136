#!/usr/bin/env bash
# Measures quality on the labelled material beside the checkout; writes out/eval/*.json, the model cards' measured part, and the
# leak of the minors' rule into docs/privacy.md. Odd files are what is reported; constants were chosen on even ones.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${FACIALADS_SHARED:-../shared}/data
facialads=target/release/facialads
faces=$data/faces/fairface_labels.csv
if [ ! -f "$faces" ]; then
    echo "eval: $faces is not there; set FACIALADS_SHARED to the folder with the labelled material" >&2
    exit 1
fi
mkdir -p out/eval
for half in odd even; do
    "$facialads" eval faces "$faces" --only $half --json out/eval/fairface-$half.json "$@" | tee out/eval/fairface-$half.txt
    echo
done
for clip in head-pose-face-detection-male.gif head-pose-face-detection-female-and-male.gif face-demographics-walking.gif; do
    name=${clip%.*}
    "$facialads" eval video "$data/video/$clip" --json out/eval/$name.json "$@" | tee out/eval/$name.txt
    echo
done
"$facialads" eval card out/eval/fairface-odd.json out/eval/fairface-even.json --out models/cards --privacy docs/privacy.md
