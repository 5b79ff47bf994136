#!/usr/bin/env bash
# GStreamer 1.26 on a machine that has 1.22: a Debian 13 root in target/debian13, and what is run in it.
#
#   scripts/debian13.sh                 builds the root when it is missing, then tests the feature v1_24 in it
#   scripts/debian13.sh setup           only builds the root (2.6 GB, about three minutes)
#   scripts/debian13.sh run COMMAND...  runs one command in it, from the source folder: gst-launch-1.0, cargo, bash
#
# Needs root: debootstrap and chroot do. Mounts are made in a mount namespace of this script's own, so that the kernel
# takes them away however the script ends; nothing of it is ever visible outside, and removing target/ is always safe.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=trixie
root=$PWD/target/debian13
build=$PWD/target/debian13-build
packages=(
    gcc libc6-dev pkg-config ca-certificates fonts-dejavu-core
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstreamer-plugins-bad1.0-dev libcairo2-dev libpango1.0-dev
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-ugly gstreamer1.0-libav
)

fail() { echo "debian13: $*" >&2; exit 1; }

needs() {
    [ "$(id -u)" -eq 0 ] || fail "needs root for debootstrap and chroot. Run: sudo -E $0"
    command -v debootstrap >/dev/null && return 0
    command -v apt-get >/dev/null || fail "debootstrap is missing and this is not Debian: install it by other means"
    apt-get install -y -qq --no-install-recommends debootstrap >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap >/dev/null; }
}

# The archive that this machine itself installs from; no address is written here.
archive() {
    [ -n "${DEBIAN_ARCHIVE:-}" ] && { echo "$DEBIAN_ARCHIVE"; return; }
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|Debian|//p' | head -n 1 | grep . ||
        apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1 | grep . ||
        fail "apt has no sources to take Debian 13 from: set DEBIAN_ARCHIVE to a Debian archive's address"
}

# Says what the root was made from: another list of packages makes it anew.
recipe() { printf '%s\n' "$suite" "${packages[@]}"; }

setup() {
    [ "$(cat "$root/recipe" 2>/dev/null)" = "$(recipe)" ] && return 0
    needs
    echo "debian13: making $root (about three minutes)"
    local log=$root.log
    # An earlier try that was cut short.
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" "$(archive)" >"$log" 2>&1 || { tail "$log" >&2; fail "debootstrap failed, see $log"; }
    # How to reach the archive is this machine's business too.
    apt-config dump | grep -i '^Acquire::.*proxy' >"$root/etc/apt/apt.conf.d/90host" || true
    enter sh -c "apt-get update && apt-get install -y --no-install-recommends ${packages[*]} && apt-get clean" >>"$log" 2>&1 ||
        { tail "$log" >&2; fail "installing packages failed, see $log"; }
    recipe >"$root/recipe"
}

# Runs a command in the root, with the source, the toolchain and the downloads where they are outside.
enter() {
    local home=${CARGO_HOME:-$HOME/.cargo} rustup=${RUSTUP_HOME:-$HOME/.rustup}
    local seen=("$PWD" "$home" "$rustup" "$(readlink -f .cache || true)" "$(readlink -f ../shared || true)")
    # shellcheck disable=SC2016
    unshare --mount --propagation private bash -euc '
        root=$1; folders=$2; shift 2
        mount -t proc proc "$root/proc"
        mount --rbind /sys "$root/sys"
        mount --rbind /dev "$root/dev"
        cp -L /etc/resolv.conf "$root/etc/resolv.conf"
        while read -r folder; do
            [ -d "$folder" ] || continue
            mkdir -p "$root$folder"
            mount --bind "$folder" "$root$folder"
        done <<<"$folders"
        exec chroot "$root" "$@"
    ' bash "$root" "$(printf '%s\n' "${seen[@]}")" \
        env -i PATH="$home/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        CARGO_HOME="$home" RUSTUP_HOME="$rustup" CARGO_TARGET_DIR="$build" CARGO_INCREMENTAL=0 CARGO_NET_OFFLINE=true \
        ${RUSTUP_TOOLCHAIN:+RUSTUP_TOOLCHAIN="$RUSTUP_TOOLCHAIN"} ${GST_DEBUG:+GST_DEBUG="$GST_DEBUG"} \
        ${FACIALADS_SHARED:+FACIALADS_SHARED="$FACIALADS_SHARED"} \
        FACIALADS_MODELS="$PWD/.cache/models" ORT_DYLIB_PATH="$PWD/.cache/lib/libonnxruntime.so" \
        GST_PLUGIN_PATH="$build/debug" GST_REGISTRY="$build/registry.bin" \
        "$@"
}

# The root has no way to the registry, and needs none: what is to be compiled is fetched out here.
run() {
    setup
    needs
    mkdir -p "$build"
    cargo fetch --locked --quiet
    enter sh -c 'cd "$1" && shift && exec "$@"' sh "$PWD" "$@"
}

# Not part of .ci/run: a first run takes about fifteen minutes on two cores, and more disk than all the rest.
tests() {
    run cargo test --no-fail-fast -p facialads-meta -p gst-plugin-facialads --features v1_24 --lib \
        --test analytics --test pipelines --test roundtrip --test silence \
        --test v1_24 --test upstream --test faceanalyze --test subjectclassify
}

case ${1:-test} in
    setup) setup ;;
    run) shift; run "$@" ;;
    test) tests ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
