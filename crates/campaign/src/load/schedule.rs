//! When a campaign plays: dates, dayparts, frequency cap.

use super::{
    source::Source,
    table::{Table, as_number},
    target::unknown_word,
};
use crate::{Daypart, FrequencyCap, Weekday};
use jiff::{
    SpanRelativeTo,
    civil::{Date, Time},
};
use std::{ops::Range, time::Duration};

const DAYPART: &[&str] = &["days", "from", "to"];
const CAP: &[&str] = &["plays", "per"];
const CAP_HINT: &str = "write frequency_cap = { plays = 3, per = \"1h\" }";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The history is kept this long, so no cap can look back further.
pub(super) const LONGEST_CAP: Duration = Duration::from_secs(31 * 24 * 60 * 60);

pub(super) fn date(table: &Table<'_, '_>, key: &str, source: &mut Source<'_>) -> Option<Date> {
    let (text, span) = table.when(key, source)?;
    // Only a date: "2026-11-01T20:00" would silently lose its hours.
    let date = if text.len() == 10 { text.parse().ok() } else { None };
    if date.is_none() {
        let message = format!("`{key}` is no date: {}", text.escape_debug());
        source.error(
            span,
            "date",
            message,
            Some(format!("write {key} = 2026-11-01; hours go into a daypart")),
        );
    }
    date
}

pub(super) fn dayparts(campaign: &Table<'_, '_>, source: &mut Source<'_>) -> Vec<Daypart> {
    let mut dayparts = Vec::new();
    for value in campaign.tables("daypart", source) {
        let Some(table) = Table::open(value, "[campaign.daypart]", DAYPART, source) else { continue };
        let days = days(&table, source);
        let midnight = Time::midnight();
        let from = time(&table, "from", source).unwrap_or(midnight);
        let to = time(&table, "to", source).unwrap_or(midnight);
        if from == to && from != midnight {
            source.error(
                table.span_of("to"),
                "order",
                "the daypart has no length".to_owned(),
                Some("leave `from` and `to` out for the whole day".to_owned()),
            );
        }
        dayparts.push(Daypart { days, from, to });
    }
    dayparts
}

/// "mon", or "mon-fri" (also across the week's end: "sat-mon"). None named: every day.
fn days(table: &Table<'_, '_>, source: &mut Source<'_>) -> Vec<Weekday> {
    let mut days = Vec::new();
    let named = table.strings("days", source);
    let none_named = named.is_empty();
    for (text, span) in named {
        let text = text.trim().to_lowercase();
        let (first, last) = text.split_once(['-', '–']).unwrap_or((&text, &text));
        let mut day = |name: &str| {
            let index = DAYS.iter().position(|day| *day == name.trim());
            if index.is_none() {
                unknown_word("day", name.trim(), &DAYS, span.clone(), source);
            }
            index
        };
        if let (Some(first), Some(last)) = (day(first), day(last)) {
            let count = (last + 7 - first) % 7 + 1;
            days.extend(Weekday::ALL.into_iter().cycle().skip(first).take(count));
        }
    }
    if table.get("days").is_none() {
        days.extend(Weekday::ALL);
    } else if none_named {
        let hint = Some("leave `days` out for every day".to_owned());
        source.error(table.span_of("days"), "empty", "the daypart has no days".to_owned(), hint);
    }
    days.sort_unstable();
    days.dedup();
    days
}

fn time(table: &Table<'_, '_>, key: &str, source: &mut Source<'_>) -> Option<Time> {
    let (text, span) = table.when(key, source)?;
    if text == "24:00" || text == "24:00:00" {
        return Some(Time::midnight());
    }
    let time = text.contains(':').then(|| text.parse().ok()).flatten();
    if time.is_none() {
        let message = format!("`{key}` is no time of day: {}", text.escape_debug());
        source.error(span, "time", message, Some(format!("write {key} = \"18:30\"")));
    }
    time
}

pub(super) fn frequency_cap(campaign: &Table<'_, '_>, source: &mut Source<'_>) -> Option<FrequencyCap> {
    let value = campaign.get("frequency_cap")?;
    let table = Table::open(value, "frequency_cap", CAP, source)?;
    for key in CAP {
        if table.get(key).is_none() {
            table.missing(key, CAP_HINT, source);
        }
    }
    let plays = table.number("plays", source).and_then(|plays| {
        let whole = plays.fract() == 0.0 && (1.0..=1e6).contains(&plays);
        if !whole {
            let message = "`plays` must be a whole number from 1 to 1000000".to_owned();
            source.error(table.span_of("plays"), "range", message, Some(CAP_HINT.to_owned()));
        }
        whole.then_some(plays as u32)
    });
    let per = duration(&table, "per", source).filter(|(per, span)| {
        if *per > LONGEST_CAP {
            let message = "`per` is longer than 31 days, which is how long plays are remembered".to_owned();
            source.error(span.clone(), "range", message, Some("limit it by `start` and `end`".to_owned()));
        }
        *per <= LONGEST_CAP
    });
    Some(FrequencyCap { plays: plays?, per: per?.0 })
}

/// "90s", "1h 30m", "2 days", or a number of seconds; above zero.
pub(super) fn duration(
    table: &Table<'_, '_>,
    key: &str,
    source: &mut Source<'_>,
) -> Option<(Duration, Range<usize>)> {
    let value = table.get(key)?;
    let span = value.span();
    let duration = match as_number(value) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => duration_text(table.string(key, source)?.0),
    };
    let duration = duration.filter(|duration| !duration.is_zero());
    if duration.is_none() {
        let message = format!("`{key}` is no length of time");
        source.error(
            span.clone(),
            "duration",
            message,
            Some("write \"30s\", \"1h 30m\" or \"2 days\"".to_owned()),
        );
    }
    Some((duration?, span))
}

fn duration_text(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.trim().parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}
