#!/usr/bin/env bash
# Set-up for building and running: system packages, the build itself, ONNX Runtime, models, sample media.
# Prints nothing when nothing is missing. Safe to run as often as you like.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${PROFILE:-release}
[ "$profile" = release ] && folder=release || folder=debug

packages=(
    build-essential pkg-config curl ca-certificates ffmpeg fonts-dejavu-core
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libcairo2-dev libpango1.0-dev
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-ugly gstreamer1.0-x gstreamer1.0-libav
)
# Node and Python may have come from elsewhere: only their commands matter.
command -v npm >/dev/null || packages+=(npm)
python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)

system_packages() {
    if ! command -v dpkg-query >/dev/null; then
        echo "setup: this is not Debian or Ubuntu; these must be installed by other means: ${packages[*]}" >&2
        return 0
    fi
    local missing=() name
    for name in "${packages[@]}"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as_root=(sudo)
        else
            echo "setup: system packages are missing and installing them needs root. Run this, then try again:" >&2
            echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
            exit 1
        fi
    fi
    echo "setup: installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

rust() {
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! command -v cargo >/dev/null; then
        echo "setup: Rust $wanted or later is needed and there is no cargo. Install rustup (https://rustup.rs), then:" >&2
        echo "    rustup toolchain install $wanted" >&2
        exit 1
    fi
    have=$(cargo --version | cut -d' ' -f2)
    if [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" != "$wanted" ]; then
        echo "setup: Rust $wanted or later is needed, this is $have. Run: rustup toolchain install $wanted && rustup default $wanted" >&2
        exit 1
    fi
}

build() {
    local options=(--workspace)
    [ "$profile" = release ] && options+=(--release)
    # A build with nothing to do says so in one line, which is one too many.
    cargo build "${options[@]}" 2> >(grep -v '^ *Finished ' >&2 || true)
}

models() {
    local options=(--dir .cache/models --media --library) shared=${FACIALADS_SHARED:-../shared}
    # Tests compile the CUDA kernels; nothing else here needs NVIDIA's compiler (or its licence).
    [ "$profile" = release ] || options+=(--with nvrtc)
    [ -d "$shared/data/models" ] && options+=(--from "$shared/data/models")
    [ -n "${FACIALADS_FROM:-}" ] && options+=(--from "$FACIALADS_FROM")
    target/$folder/facialads models install --quiet "${options[@]}"
}

system_packages
rust
build
models
