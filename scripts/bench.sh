#!/usr/bin/env bash
# Speed, as ratios in one run: each element against bare inference on the same frames, and the whole job on a coded clip against
# others at the same job. Result also in out/bench.json. BENCH_PEERS=no leaves the others out (they are 400 MB of packages).
set -euo pipefail
cd "$(dirname "$0")/.."
export GST_PLUGIN_PATH=$PWD/target/release GST_REGISTRY=$PWD/target/bench-registry.bin
demo/media.sh out/media
clip=out/media/five.mp4
# Five faces under a moving camera, with a camera's noise: 20 s of 1280x720 at 30 fps.
[ -f "$clip" ] || ffmpeg -nostdin -v error -y -loop 1 -framerate 30 -i .cache/media/sample5.jpg -t 20 \
    -vf "scale=1400:-2,crop=1280:720:x='60+50*sin(t/2)':y='120+60*cos(t/3)',noise=alls=5:allf=t,format=yuv420p" \
    -c:v libx264 -preset veryfast -crf 23 -g 30 "$clip"
peers=()
rfb320=.cache/models/rfb-320.onnx
if [ "${BENCH_PEERS:-yes}" = yes ]; then
    if [ -f "$rfb320" ]; then
        scripts/peers/install.sh
        peers=(--peers .cache/peers --rfb320 "$rfb320")
    else
        echo "bench: $rfb320 is missing, so others are left out (facialads models install rfb-320 --from DIR brings it)" >&2
    fi
fi
# 250 frames: two seconds of an empty room, then one person.
target/release/facialads bench --faces out/media/audience.mp4 --programme out/media/programme.mp4 --frames 250 \
    --job "$clip" "${peers[@]}" --json out/bench.json "$@"
