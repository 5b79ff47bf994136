#!/usr/bin/env bash
# Fetches what `make bench` compares with, by the ordinary clients, into .cache/peers: @vladmandic/human (MIT) on
# TensorFlow.js (Apache-2.0), OpenVINO (Apache-2.0) and OpenCV (Apache-2.0) for Python. Quick the second time.
set -euo pipefail
cd "$(dirname "$0")/../.."
peers=$PWD/.cache/peers
mkdir -p "$peers"
human=3.3.6 tfjs=4.22.0 openvino=2026.4.1 opencv=5.0.0.93
wanted="human $human, tfjs $tfjs, openvino $openvino, opencv $opencv"
[ "$(cat "$peers/installed" 2>/dev/null)" = "$wanted" ] && exit 0
echo "bench: installing $wanted into .cache/peers"
(cd "$peers" && [ -f package.json ] || echo '{"private":true}' > "$peers/package.json")
npm install --prefix "$peers" --silent --no-audit --no-fund --ignore-scripts \
    "@vladmandic/human@$human" "@tensorflow/tfjs@$tfjs" "@tensorflow/tfjs-backend-wasm@$tfjs"
python3 -m venv "$peers/python" 2>/dev/null || {
    echo "bench: python3 -m venv failed; install Debian's python3-venv and try again" >&2
    exit 1
}
"$peers/python/bin/pip" install --quiet --disable-pip-version-check "openvino==$openvino" "opencv-python-headless==$opencv"
echo "$wanted" > "$peers/installed"
