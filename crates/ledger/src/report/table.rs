//! The breaks as plain text.

use super::{BreakRow, People, Report};
use std::fmt::Write;

pub(super) fn breaks(report: &Report) -> String {
    if report.breaks.is_empty() {
        return "no breaks on record\n".to_owned();
    }
    let several = report.summary.screens > 1;
    let mut lines =
        vec![["break", "audience seen", "subject", "creative", "why", "frames shown"].map(str::to_owned)];
    for row in &report.breaks {
        let place = if several { format!("{} {}", row.screen, time(row)) } else { time(row) };
        lines.push([
            place,
            audience(row),
            row.subject.iter().take(2).cloned().collect::<Vec<_>>().join(", "),
            row.creative.clone().unwrap_or_else(|| "–".to_owned()),
            row.why.clone(),
            frames(row),
        ]);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4, 5].map(width);
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, w)| pad(cell, w)).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        if index == 0 {
            let _ = writeln!(text, "{}", widths.map(|w| "─".repeat(w)).join("  "));
        }
    }
    if let Some(warning) = &report.warning {
        let _ = writeln!(text, "{warning}");
    }
    text
}

/// A name out of a file must not move the cursor.
fn pad(cell: &str, width: usize) -> String {
    let clean: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{clean:width$}")
}

/// Running time as minutes and seconds.
pub(super) fn time(row: &BreakRow) -> String {
    let hours = (row.running_time / 3600.0).floor();
    let minutes = (row.running_time / 60.0).floor() % 60.0;
    let seconds = row.running_time % 60.0;
    if hours > 0.0 {
        format!("{hours}:{minutes:02}:{seconds:05.2}")
    } else {
        format!("{minutes:02}:{seconds:05.2}")
    }
}

pub(super) fn audience(row: &BreakRow) -> String {
    let people = match row.people {
        People::NotCounted => None,
        People::Count(1) => Some("1 person".to_owned()),
        People::Count(people) => Some(format!("{people} people")),
        People::Withheld => Some("few people".to_owned()),
    };
    match (people, &row.no_profile) {
        (None, None) => "–".to_owned(),
        (None, Some(reason)) => reason.clone(),
        (Some(people), None) => people,
        // "0 people, nobody in view" says it twice.
        (Some(_), Some(reason)) if row.people == People::Count(0) => reason.clone(),
        (Some(people), Some(reason)) => format!("{people}, {reason}"),
    }
}

pub(super) fn frames(row: &BreakRow) -> String {
    match (row.shown, row.held_frames, row.complete) {
        (false, ..) => row.ended.clone(),
        (true, 0, true) => row.frames.to_string(),
        (true, held, true) => format!("{} ({held} held)", row.frames),
        (true, 0, false) => format!("{} ({})", row.frames, row.ended),
        (true, held, false) => format!("{} ({held} held; {})", row.frames, row.ended),
    }
}
