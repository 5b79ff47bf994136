//! Reading a TOML table key by key, reporting every mistake instead of stopping at the first.

use super::source::{Source, nearest};
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A table of which only certain keys are allowed.
pub(super) struct Table<'a, 'i> {
    table: &'a DeTable<'i>,
    pub span: Range<usize>,
    /// As it is called in messages, e.g. "[campaign.target]".
    name: &'static str,
}

/// Keys that people write one level too high or too low, and where they belong.
const ELSEWHERE: &[(&str, &str)] = &[
    ("age", "[campaign.target]"),
    ("gender", "[campaign.target]"),
    ("emotion", "[campaign.target]"),
    ("subjects", "[campaign.target]"),
    ("exclude_subjects", "[campaign.target]"),
    ("exclude_safety", "[campaign.target]"),
    ("frequency_cap", "[[campaign]]"),
    ("daypart", "[[campaign]]"),
    ("weight", "[[campaign]]"),
    ("house", "[[campaign]]"),
    ("advertiser", "[[campaign]]"),
    ("start", "[[campaign]]"),
    ("end", "[[campaign]]"),
    ("path", "[[campaign.creative]]"),
    ("uri", "[[campaign.creative]]"),
    ("duration", "[[campaign.creative]]"),
    ("creative", "[[campaign]], as [[campaign.creative]]"),
    ("target", "[[campaign]], as [campaign.target]"),
];

impl<'a, 'i> Table<'a, 'i> {
    /// Reports keys that are not known here.
    pub fn new(
        table: &'a DeTable<'i>,
        span: Range<usize>,
        name: &'static str,
        known: &[&'static str],
        source: &mut Source<'_>,
    ) -> Self {
        for key in table.keys() {
            let found = key.get_ref().as_ref();
            if known.contains(&found) {
                continue;
            }
            let hint = if let Some(word) = nearest(found, known.iter().copied()) {
                format!("did you mean `{word}`?")
            } else if let Some((_, place)) = ELSEWHERE.iter().find(|(word, _)| *word == found) {
                format!("`{found}` belongs in {place}")
            } else {
                format!("known here are {}", known.join(", "))
            };
            let message = format!("unknown key `{found}` in {name}");
            source.error(key.span(), "unknown-key", message, Some(hint));
        }
        Self { table, span, name }
    }

    /// The value as a table, or a report that it is none.
    pub fn open(
        value: &'a Value<'i>,
        name: &'static str,
        known: &[&'static str],
        source: &mut Source<'_>,
    ) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Self::new(table, value.span(), name, known, source)),
            other => {
                let message = format!("{name} must be a table, not {}", kind(other));
                source.error(value.span(), "wrong-type", message, None);
                None
            }
        }
    }

    pub fn get(&self, key: &str) -> Option<&'a Value<'i>> {
        self.table.get(key)
    }

    /// Where a key's value stands, or else the table.
    pub fn span_of(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.span.clone(), Spanned::span)
    }

    pub fn missing(&self, key: &str, hint: &str, source: &mut Source<'_>) {
        let message = format!("{} has no `{key}`", self.name);
        source.error(self.span.clone(), "missing-key", message, Some(hint.to_owned()));
    }

    pub fn string(&self, key: &str, source: &mut Source<'_>) -> Option<(&'a str, Range<usize>)> {
        let value = self.get(key)?;
        text(value, key, source).map(|text| (text, value.span()))
    }

    /// A string that must be there and must not be blank.
    pub fn required(
        &self,
        key: &str,
        hint: &str,
        source: &mut Source<'_>,
    ) -> Option<(&'a str, Range<usize>)> {
        if self.get(key).is_none() {
            self.missing(key, hint, source);
            return None;
        }
        let (text, span) = self.string(key, source)?;
        if text.trim().is_empty() {
            source.error(span, "empty", format!("`{key}` is empty"), Some(hint.to_owned()));
            return None;
        }
        Some((text.trim(), span))
    }

    pub fn boolean(&self, key: &str, source: &mut Source<'_>) -> Option<bool> {
        let value = self.get(key)?;
        if let DeValue::Boolean(boolean) = value.get_ref() {
            return Some(*boolean);
        }
        wrong_type(value, key, "true or false", source);
        None
    }

    pub fn number(&self, key: &str, source: &mut Source<'_>) -> Option<f64> {
        let value = self.get(key)?;
        let number = as_number(value);
        if number.is_none() {
            wrong_type(value, key, "a number", source);
        }
        number
    }

    /// A list of strings, or one string as a list of one.
    pub fn strings(&self, key: &str, source: &mut Source<'_>) -> Vec<(&'a str, Range<usize>)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| text(item, key, source).map(|text| (text, item.span())))
                .collect(),
            _ => text(value, key, source).map(|text| (text, value.span())).into_iter().collect(),
        }
    }

    /// A list of tables (`[[…]]`), or one table as a list of one.
    pub fn tables(&self, key: &str, source: &mut Source<'_>) -> Vec<&'a Value<'i>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            DeValue::Table(_) => vec![value],
            _ => {
                wrong_type(value, key, "a table", source);
                Vec::new()
            }
        }
    }

    /// A date or time of day: TOML's own, or the same as a string.
    pub fn when(&self, key: &str, source: &mut Source<'_>) -> Option<(String, Range<usize>)> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Datetime(datetime) => Some((datetime.to_string(), value.span())),
            _ => text(value, key, source).map(|text| (text.to_owned(), value.span())),
        }
    }
}

pub(super) fn as_number(value: &Value<'_>) -> Option<f64> {
    match value.get_ref() {
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

pub(super) fn text<'a>(value: &'a Value<'_>, key: &str, source: &mut Source<'_>) -> Option<&'a str> {
    if let DeValue::String(text) = value.get_ref() {
        return Some(text.as_ref());
    }
    wrong_type(value, key, "a string in quotes", source);
    None
}

pub(super) fn wrong_type(value: &Value<'_>, key: &str, wanted: &str, source: &mut Source<'_>) {
    let message = format!("`{key}` must be {wanted}, not {}", kind(value.get_ref()));
    source.error(value.span(), "wrong-type", message, None);
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
