//! Where a creative comes from: a path or a URI, checked before GStreamer sees it so that the common mistakes get a
//! sentence of their own.

use gst::glib;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What GStreamer gets; the words of the problem where there is no URI for it.
    pub uri: Result<String, String>,
    /// What the operator reads: the path, or the address without user, password and query, which may be secrets.
    pub display: String,
    file: Option<PathBuf>,
}

impl Source {
    pub fn parse(text: &str) -> Self {
        if let Some((scheme, rest)) = scheme_of(text) {
            if !scheme.eq_ignore_ascii_case("file") {
                return Self { uri: Ok(text.to_owned()), display: public_part(scheme, rest), file: None };
            }
            return match glib::filename_from_uri(text) {
                Ok((path, _)) => Self::from_path(path),
                Err(error) => {
                    let problem = format!("is not a usable file URI: {error}");
                    Self { uri: Err(problem), display: text.to_owned(), file: None }
                }
            };
        }
        Self::from_path(PathBuf::from(text))
    }

    fn from_path(path: PathBuf) -> Self {
        let display = path.display().to_string();
        let uri = std::path::absolute(&path)
            .map_err(|error| error.to_string())
            .and_then(|full| glib::filename_to_uri(full, None).map_err(|error| error.to_string()))
            .map(String::from)
            .map_err(|error| format!("is not a usable path: {error}"));
        let display = if display.is_empty() { "(no path given)".to_owned() } else { display };
        Self { uri, display, file: Some(path) }
    }

    /// What is wrong with a local file before anything is decoded. May block on a slow disk.
    pub fn check(&self) -> Result<&str, String> {
        let uri = self.uri.as_ref().map_err(|problem| format!("{}: {problem}", self.display))?;
        if let Some(path) = &self.file {
            check_file(path).map_err(|problem| format!("{}: {problem}", self.display))?;
        }
        Ok(uri)
    }
}

fn check_file(path: &Path) -> Result<(), String> {
    use std::io::ErrorKind;
    let explain = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "no such file; check its path".to_owned(),
        ErrorKind::PermissionDenied => {
            "permission denied; the player's user must be able to read it".to_owned()
        }
        _ => error.to_string(),
    };
    let about = std::fs::metadata(path).map_err(explain)?;
    if about.is_dir() {
        return Err("is a folder, not a media file".to_owned());
    }
    if about.is_file() {
        if about.len() == 0 {
            return Err("is empty (0 bytes); copy it again".to_owned());
        }
        std::fs::File::open(path).map_err(explain)?;
    }
    Ok(())
}

/// Scheme and the rest after it, if this is a URI and not a path. A single letter is a drive, not a scheme.
fn scheme_of(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let letters = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    (letters && (rest.starts_with("//") || scheme.eq_ignore_ascii_case("file") || scheme == "data"))
        .then_some((scheme, rest))
}

fn public_part(scheme: &str, rest: &str) -> String {
    let rest = rest.trim_start_matches('/');
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if scheme == "data" { "data: URI".to_owned() } else { format!("{scheme}://{host}/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_becomes_an_absolute_uri() {
        let source = Source::parse("ads/a film?.mp4");
        let here = std::env::current_dir().unwrap();
        let expected = glib::filename_to_uri(here.join("ads/a film?.mp4"), None).unwrap();
        assert_eq!(source.uri.as_deref(), Ok(expected.as_str()));
        assert_eq!(source.display, "ads/a film?.mp4");
    }

    #[test]
    fn a_file_uri_and_its_path_are_the_same_source() {
        assert_eq!(Source::parse("file:///tmp/a%20b.mp4"), Source::parse("/tmp/a b.mp4"));
    }

    #[test]
    fn secrets_in_an_address_are_not_shown() {
        let source = Source::parse("https://user:pass@cdn.example.org:8080/ads/a.mp4?token=abc#t=1");
        assert_eq!(source.display, "https://cdn.example.org:8080/ads/a.mp4");
        assert!(source.uri.is_ok_and(|uri| uri.contains("token=abc")));
    }

    #[test]
    fn a_colon_in_a_file_name_is_no_scheme() {
        assert!(Source::parse("ad:final.mp4").file.is_some());
        assert!(Source::parse("C:/ads/a.mp4").file.is_some());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_plainly() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.mp4");
        std::fs::write(&empty, b"").unwrap();
        let problem = |path: &Path| Source::parse(path.to_str().unwrap()).check().unwrap_err();
        assert!(problem(&empty).contains("is empty"));
        assert!(problem(dir.path()).contains("is a folder"));
        assert!(problem(&dir.path().join("none.mp4")).contains("no such file"));
        assert!(Source::parse("").check().is_err());
    }
}
