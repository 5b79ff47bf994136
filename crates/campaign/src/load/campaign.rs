//! One `[[campaign]]` out of its table.

use super::{
    creative::creatives,
    schedule::{date, dayparts, frequency_cap},
    source::Source,
    table::{Table, Value},
    target::target,
};
use crate::Campaign;
use std::ops::Range;

const CAMPAIGN: &[&str] = &[
    "id",
    "advertiser",
    "name",
    "weight",
    "house",
    "start",
    "end",
    "daypart",
    "frequency_cap",
    "target",
    "creative",
];
const MAX_WEIGHT: f64 = 1e6;
const MAX_ID: usize = 64;

/// What a table gave; what is wrong with it is reported.
pub(super) struct Read {
    /// With its place, also where something else is wrong.
    pub id: Option<(String, Range<usize>)>,
    /// `None` where anything is wrong.
    pub campaign: Option<Campaign>,
}

pub(super) fn campaign(value: &Value<'_>, source: &mut Source<'_>) -> Option<Read> {
    let before = source.found.iter().filter(|d| d.is_fatal()).count();
    let table = Table::open(value, "[[campaign]]", CAMPAIGN, source)?;

    let id = identifier(&table, source);
    let advertiser = table.required("advertiser", "who pays, e.g. advertiser = \"ACME\"", source);
    let name = table.string("name", source).map(|(name, _)| name.trim().to_owned());
    let weight = weight(&table, source);
    let house = table.boolean("house", source).unwrap_or(false);
    let (start, end) = (date(&table, "start", source), date(&table, "end", source));
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        let message = format!("the campaign ends ({end}) before it starts ({start})");
        source.error(table.span_of("end"), "order", message, Some("exchange the two dates".to_owned()));
    }
    let dayparts = dayparts(&table, source);
    let frequency_cap = frequency_cap(&table, source);
    let target = target(&table, source);
    if house && target.wants_people() {
        source.error(
            table.span_of("target"),
            "house-target",
            "a house campaign cannot target people".to_owned(),
            Some("it fills breaks when nothing else can, also without consent: take age, gender and emotion out".to_owned()),
        );
    }
    let creatives = creatives(&table, source);

    if source.found.iter().filter(|d| d.is_fatal()).count() > before {
        return Some(Read { id, campaign: None });
    }
    let (Some((name_of_its_own, _)), Some((advertiser, _)), Some(weight)) = (&id, advertiser, weight) else {
        return Some(Read { id, campaign: None });
    };
    let campaign = Campaign {
        id: name_of_its_own.clone(),
        advertiser: advertiser.to_owned(),
        name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| name_of_its_own.clone()),
        weight,
        house,
        target,
        dayparts,
        start,
        end,
        frequency_cap,
        creatives,
        file: source.file.clone(),
    };
    Some(Read { id, campaign: Some(campaign) })
}

/// Ids stand in messages, reports and file names, so they are kept plain.
pub(super) fn identifier(table: &Table<'_, '_>, source: &mut Source<'_>) -> Option<(String, Range<usize>)> {
    let (id, span) = table.required("id", "a short name of its own, e.g. id = \"spring-sale\"", source)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.len() > MAX_ID || !id.chars().all(plain) {
        source.error(
            span,
            "bad-id",
            format!("id \"{}\" is not usable", id.escape_debug()),
            Some(format!("letters a–z, digits, `-`, `_` and `.` only, at most {MAX_ID} of them")),
        );
        return None;
    }
    Some((id.to_owned(), span))
}

fn weight(table: &Table<'_, '_>, source: &mut Source<'_>) -> Option<f64> {
    if table.get("weight").is_none() {
        return Some(1.0);
    }
    let weight = table.number("weight", source)?;
    if weight > 0.0 && weight <= MAX_WEIGHT {
        return Some(weight);
    }
    let hint =
        Some("1 is usual; 2 makes it twice as strong. To pause a campaign give it an `end`".to_owned());
    source.error(
        table.span_of("weight"),
        "range",
        format!("weight must be above 0 and at most {MAX_WEIGHT}"),
        hint,
    );
    None
}
