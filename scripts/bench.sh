#!/usr/bin/env bash
# Speed of each element against bare inference on the same frames, in one run. Result also in out/bench.json.
# 250 frames: two seconds of an empty room, then one person.
set -euo pipefail
cd "$(dirname "$0")/.."
export GST_PLUGIN_PATH=$PWD/target/release GST_REGISTRY=$PWD/target/bench-registry.bin
demo/media.sh out/media
target/release/facialads bench --faces out/media/audience.mp4 --programme out/media/programme.mp4 --frames 250 --json out/bench.json "$@"
