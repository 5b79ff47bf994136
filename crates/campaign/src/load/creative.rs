//! `[[campaign.creative]]`: what is played.

use super::{
    Diagnostic,
    campaign::identifier,
    schedule::duration,
    source::Source,
    table::{Table, Value},
};
use crate::Creative;
use std::path::{Path, PathBuf};

const CREATIVE: &[&str] = &["id", "path", "uri", "duration"];

pub(super) fn creatives(campaign: &Table<'_, '_>, source: &mut Source<'_>) -> Vec<Creative> {
    let values = campaign.tables("creative", source);
    if values.is_empty() && (campaign.get("creative").is_none() || campaign.span_of("creative").is_empty()) {
        campaign.missing("creative", "add [[campaign.creative]] with `id` and `path`", source);
    } else if values.is_empty() {
        let message = "the campaign has no creatives".to_owned();
        source.error(campaign.span_of("creative"), "missing-key", message, None);
    }
    let mut creatives: Vec<Creative> = Vec::new();
    for value in values {
        let Some((creative, span)) = creative(value, source) else { continue };
        if creatives.iter().any(|other| other.id == creative.id) {
            let message = format!("creative id \"{}\" is used twice in this campaign", creative.id);
            source.error(
                span,
                "duplicate-id",
                message,
                Some("give each creative an id of its own".to_owned()),
            );
        }
        creatives.push(creative);
    }
    creatives
}

fn creative(value: &Value<'_>, source: &mut Source<'_>) -> Option<(Creative, std::ops::Range<usize>)> {
    let table = Table::open(value, "[[campaign.creative]]", CREATIVE, source)?;
    let id = identifier(&table, source);
    let duration = duration(&table, "duration", source).map(|(duration, _)| duration);
    let medium = medium(&table, source);
    let ((id, span), (uri, path)) = (id?, medium?);
    Some((Creative { id, uri, path, duration }, span))
}

/// URI and, where it is one on this machine, path of the medium.
fn medium(table: &Table<'_, '_>, source: &mut Source<'_>) -> Option<(String, Option<PathBuf>)> {
    let (path, uri) = (table.string("path", source), table.string("uri", source));
    let (text, span, is_uri) = match (path, uri) {
        (Some(_), Some((_, span))) => {
            let message = "a creative has a `path` or a `uri`, not both".to_owned();
            source.error(span, "contradiction", message, None);
            return None;
        }
        (Some((path, span)), None) => (path, span, false),
        (None, Some((uri, span))) => (uri, span, true),
        (None, None) => {
            if table.get("path").is_none() && table.get("uri").is_none() {
                table.missing("path", "path = \"ad.mp4\", relative to this file", source);
            }
            return None;
        }
    };
    if text.trim().is_empty() || text.contains('\0') {
        source.error(span, "empty", "the creative names no file".to_owned(), None);
        return None;
    }
    let path = if !is_uri {
        absolute(&source.file, Path::new(text))
    } else if let Some(rest) = text.strip_prefix("file://") {
        PathBuf::from(percent_decode(rest))
    } else if has_scheme(text) {
        return Some((text.to_owned(), None));
    } else {
        let message = format!("\"{}\" is no URI", text.escape_debug());
        source.error(span, "uri", message, Some("a file goes into `path`".to_owned()));
        return None;
    };
    if !path.is_file() {
        let message = format!("creative file not found: {}", path.display());
        let hint = format!("relative paths start at the folder of {}", source.file.display());
        source.error(span, Diagnostic::MISSING_CREATIVE, message, Some(hint));
    }
    Some((file_uri(&path), Some(path)))
}

/// A path as seen from the folder of the campaign file.
fn absolute(file: &Path, path: &Path) -> PathBuf {
    let joined = file.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path));
    std::path::absolute(&joined).unwrap_or(joined)
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// Percent-encodes everything but RFC 3986's unreserved characters and the slash.
fn file_uri(path: &Path) -> String {
    use std::{fmt::Write, os::unix::ffi::OsStrExt};
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

fn percent_decode(text: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (*first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes)
}
