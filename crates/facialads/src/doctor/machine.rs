//! What the machine does with memory that may hold pictures of people.

use super::Finding;

pub fn findings() -> Vec<Finding> {
    vec![core_dumps()]
}

/// A core dump of a pipeline holds whatever frames were in flight.
fn core_dumps() -> Finding {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let limit = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = limit
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or("unknown");
    let detail = format!("limit {soft}, core_pattern \"{}\"", pattern.trim());
    // A pattern that starts with a pipe hands the dump to a program whatever the limit says.
    if soft == "0" && !pattern.starts_with('|') {
        return Finding::ok("Core dumps", format!("{detail}: off"));
    }
    Finding::note(
        "Core dumps",
        format!("{detail}: a crash could write frames to disk (the recipes switch this off for themselves)"),
        Some("ulimit -c 0"),
    )
}
