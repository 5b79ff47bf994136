//! `[campaign.target]`: whom and what a campaign is for.

use super::{
    source::{Source, nearest},
    table::{Table, as_number, wrong_type},
};
use crate::{AgeRange, Emotion, Subject, Target, WantedGender};
use std::ops::Range;
use toml::de::DeValue;

const TARGET: &[&str] = &["age", "gender", "emotion", "subjects", "exclude_subjects", "exclude_safety"];
const AGE_HINT: &str = "write age = \"20-45\", \"50+\" or { min = 20, max = 45 }";
/// Nobody younger may be targeted by profile (Digital Services Act, Art. 28(2)).
const ADULT: u8 = 18;
const OLDEST: u8 = 120;

pub(super) fn target(campaign: &Table<'_, '_>, source: &mut Source<'_>) -> Target {
    let Some(value) = campaign.get("target") else { return Target::default() };
    let Some(table) = Table::open(value, "[campaign.target]", TARGET, source) else {
        return Target::default();
    };
    let target = Target {
        age: age(&table, source),
        gender: gender(&table, source),
        emotions: emotions(&table, source),
        subjects: subjects(&table, "subjects", source),
        exclude_subjects: subjects(&table, "exclude_subjects", source),
        exclude_safety: words(&table, "exclude_safety", source),
    };
    for (text, span) in table.strings("exclude_subjects", &mut Source::new(source.file.clone(), source.text))
    {
        if target.subjects.iter().any(|wanted| wanted.0.eq_ignore_ascii_case(text.trim())) {
            let message = format!("\"{}\" is both wanted and excluded", text.trim());
            source.error(span, "contradiction", message, Some("take it out of one of the two".to_owned()));
        }
    }
    target
}

fn age(table: &Table<'_, '_>, source: &mut Source<'_>) -> Option<AgeRange> {
    let value = table.get("age")?;
    let (min, max) = match value.get_ref() {
        DeValue::String(text) => match age_text(text) {
            Some(range) => range,
            None => {
                let message = format!("\"{}\" is no age range", text.escape_debug());
                source.error(value.span(), "age", message, Some(AGE_HINT.to_owned()));
                return None;
            }
        },
        DeValue::Table(_) => {
            let range = Table::open(value, "age", &["min", "max"], source)?;
            let mut limit = |key: &str, default: u8| match range.get(key) {
                None => Some(f64::from(default)),
                Some(value) => as_number(value).or_else(|| {
                    wrong_type(value, key, "a number of years", source);
                    None
                }),
            };
            let (min, max) = (limit("min", ADULT), limit("max", OLDEST));
            (min?, max?)
        }
        _ => {
            wrong_type(value, "age", "a range", source);
            return None;
        }
    };
    age_range(min, max, value.span(), source)
}

fn age_range(min: f64, max: f64, span: Range<usize>, source: &mut Source<'_>) -> Option<AgeRange> {
    let whole = |years: f64| {
        (years.fract() == 0.0 && (0.0..=f64::from(OLDEST)).contains(&years)).then_some(years as u8)
    };
    let (Some(min), Some(max)) = (whole(min), whole(max)) else {
        let message = format!("ages are whole years from {ADULT} to {OLDEST}");
        source.error(span, "age", message, Some(AGE_HINT.to_owned()));
        return None;
    };
    if min > max {
        let message = format!("the age range ends ({max}) before it starts ({min})");
        source.error(span, "order", message, Some(format!("write \"{max}-{min}\"")));
        return None;
    }
    if min < ADULT {
        let message = format!("age {min}–{max} includes minors, who are never targeted by profile");
        let hint = format!("start at {ADULT}; to reach a young audience target subjects instead");
        source.error(span, "minors", message, Some(hint));
        return None;
    }
    Some(AgeRange { min, max })
}

/// "20-45", "20–45", "20 - 45", "50+".
fn age_text(text: &str) -> Option<(f64, f64)> {
    if let Some(min) = text.trim().strip_suffix('+') {
        return Some((min.trim().parse::<u16>().ok()?.into(), OLDEST.into()));
    }
    let (min, max) = text.split_once(['-', '–'])?;
    Some((min.trim().parse::<u16>().ok()?.into(), max.trim().parse::<u16>().ok()?.into()))
}

fn gender(table: &Table<'_, '_>, source: &mut Source<'_>) -> Option<WantedGender> {
    let (text, span) = table.string("gender", source)?;
    match text.trim() {
        "female" => Some(WantedGender::Female),
        "male" => Some(WantedGender::Male),
        "any" => None,
        other => {
            unknown_word("gender", other, &["female", "male", "any"], span, source);
            None
        }
    }
}

fn emotions(table: &Table<'_, '_>, source: &mut Source<'_>) -> Vec<Emotion> {
    let mut emotions = Vec::new();
    for (text, span) in table.strings("emotion", source) {
        match text.trim().parse() {
            Ok(emotion) if emotions.contains(&emotion) => {}
            Ok(emotion) => emotions.push(emotion),
            Err(_) => unknown_word("emotion", text.trim(), Emotion::NAMES, span, source),
        }
    }
    emotions
}

fn subjects(table: &Table<'_, '_>, key: &str, source: &mut Source<'_>) -> Vec<Subject> {
    let subjects = words(table, key, source);
    if let Some(taxonomy) = source.taxonomy {
        // Read once more for the places; what is wrong otherwise is reported already.
        for (text, span) in table.strings(key, &mut Source::new(source.file.clone(), source.text)) {
            let name = text.trim();
            if !name.is_empty() && !taxonomy.knows(name) {
                let message = format!("\"{}\" is no class of the taxonomy", name.escape_debug());
                source.error(span, "unknown-subject", message, taxonomy.hint(name));
            }
        }
    }
    subjects.into_iter().map(Subject).collect()
}

/// Strings that are not blank. An empty list is reported: it reads like "nothing" and means "anything".
fn words(table: &Table<'_, '_>, key: &str, source: &mut Source<'_>) -> Vec<String> {
    let before = source.found.len();
    let found = table.strings(key, source);
    if found.is_empty() && table.get(key).is_some() && source.found.len() == before {
        let message = format!("`{key}` is an empty list");
        let hint = format!("leave `{key}` out where anything will do");
        source.error(table.span_of(key), "empty", message, Some(hint));
    }
    let mut words = Vec::new();
    for (text, span) in found {
        if text.trim().is_empty() {
            source.error(span, "empty", format!("`{key}` has an empty entry"), None);
        } else {
            words.push(text.trim().to_owned());
        }
    }
    words
}

pub(super) fn unknown_word(
    what: &str,
    found: &str,
    known: &[&str],
    span: Range<usize>,
    source: &mut Source<'_>,
) {
    let hint = nearest(found, known.iter().copied()).map_or_else(
        || format!("known are {}", known.join(", ")),
        |word| format!("did you mean \"{word}\"?"),
    );
    source.error(span, "unknown-word", format!("\"{}\" is no {what}", found.escape_debug()), Some(hint));
}
