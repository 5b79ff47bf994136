#!/usr/bin/env bash
# Runs every test and ends with one line that counts them: "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."
export GST_PLUGIN_PATH=$PWD/target/debug${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
# A registry of our own: another build's plugin in the user's registry must not be what is tested.
export GST_REGISTRY=$PWD/target/test-registry.bin
log=target/test.log
rm -f target/skipped.log
cargo test --workspace --no-fail-fast 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

count() { grep -oE "[0-9]+ $1" "$log" | awk '{ n += $1 } END { print n + 0 }'; }
# Only the closing lines of the test binaries count.
grep -E '^test result:' "$log" > "$log.results" || true
log=$log.results
passed=$(count passed) failed=$(count failed) ignored=$(count ignored)
skipped=$([ -f target/skipped.log ] && sort -u target/skipped.log | wc -l || echo 0)
if [ "$skipped" -gt 0 ]; then
    echo
    echo "Not run, or only in part:"
    sort -u target/skipped.log | sed 's/^/  /'
fi
echo
# A build that fails runs nothing: never let that read as success.
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    echo "The tests did not build or did not finish (cargo test exited with $status)."
    failed=1
fi
echo "$passed passed, $failed failed, $((skipped + ignored)) skipped"
exit "$status"
