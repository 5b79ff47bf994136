//! Where breaks are, and the text form in which an operator writes them.

use crate::time::{SECOND, Time};
use std::fmt;

/// On which clock a cue is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Running time of the programme: live cues and SCTE-35.
    Running(Time),
    /// Stream time, the position in a file: the cue is there again after a seek back.
    Stream(Time),
    /// As soon as every pad can follow.
    Now,
}

/// A break that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cue {
    pub when: When,
    /// `None`: as long as its creative.
    pub duration: Option<Time>,
}

/// What is wrong with a list of breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("breaks=\"{text}\", character {column}: {what}")]
pub struct ParseError {
    pub text: String,
    /// Counted from 1.
    pub column: usize,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    ExpectedSeconds,
    ExpectedDuration,
    TooManyDecimals,
    TooLarge,
    ZeroDuration,
    Unexpected(char),
    Twice,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExpectedSeconds => f.write_str("expected the break's start in seconds, like 10 or 10.5"),
            Self::ExpectedDuration => f.write_str("expected the break's duration in seconds after '+'"),
            Self::TooManyDecimals => f.write_str("more than nine decimals (the unit is a nanosecond)"),
            Self::TooLarge => f.write_str("the number is too large"),
            Self::ZeroDuration => f.write_str(
                "a break of no length; leave \"+0\" out and the break lasts as long as its creative",
            ),
            Self::Unexpected(c) => {
                write!(
                    f,
                    "unexpected '{c}'; write starts in seconds separated by commas, \"+\" before a duration"
                )
            }
            Self::Twice => f.write_str("a second break at the same time"),
        }
    }
}

/// Reads `"10,40+15"`: starts in seconds, in any order, each with `+` and a duration where it has one.
/// Returns (start, duration), sorted by start. The empty string is no break.
pub fn parse(text: &str) -> Result<Vec<(Time, Option<Time>)>, ParseError> {
    let mut reader = Reader { text, chars: text.chars().collect(), at: 0 };
    let mut cues: Vec<(Time, Option<Time>)> = Vec::new();
    reader.spaces();
    if reader.peek().is_none() {
        return Ok(cues);
    }
    loop {
        let column = reader.at;
        let start = reader.seconds(What::ExpectedSeconds)?;
        if cues.iter().any(|(other, _)| *other == start) {
            return Err(reader.error(column, What::Twice));
        }
        reader.spaces();
        let duration = if reader.take('+') {
            reader.spaces();
            let column = reader.at;
            let duration = reader.seconds(What::ExpectedDuration)?;
            if duration == 0 {
                return Err(reader.error(column, What::ZeroDuration));
            }
            reader.spaces();
            Some(duration)
        } else {
            None
        };
        cues.push((start, duration));
        match reader.peek() {
            None => break,
            Some(',') => reader.at += 1,
            Some(c) => return Err(reader.error(reader.at, What::Unexpected(c))),
        }
        reader.spaces();
    }
    cues.sort_unstable();
    Ok(cues)
}

struct Reader<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }
    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }
    fn spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }
    fn error(&self, at: usize, what: What) -> ParseError {
        ParseError { text: self.text.to_owned(), column: at + 1, what }
    }
    fn digits(&mut self) -> Vec<u8> {
        let mut digits = Vec::new();
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            digits.push(digit as u8);
            self.at += 1;
        }
        digits
    }

    fn seconds(&mut self, missing: What) -> Result<Time, ParseError> {
        let column = self.at;
        let whole = self.digits();
        if whole.is_empty() {
            return Err(self.error(column, missing));
        }
        let mut fraction = Vec::new();
        if self.take('.') {
            let dot = self.at;
            fraction = self.digits();
            if fraction.is_empty() {
                return Err(self.error(dot, missing));
            }
            if fraction.len() > 9 {
                return Err(self.error(dot + 9, What::TooManyDecimals));
            }
        }
        fraction.resize(9, 0);
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(*d)))
        };
        let time = number(&whole)
            .and_then(|seconds| seconds.checked_mul(SECOND))
            .zip(number(&fraction))
            .and_then(|(seconds, rest)| seconds.checked_add(rest));
        // A century leaves room for every sum that is made with a time.
        time.filter(|t| *t < 100 * 366 * 86_400 * SECOND).ok_or_else(|| self.error(column, What::TooLarge))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (usize, What) {
        let e = parse(text).unwrap_err();
        (e.column, e.what)
    }

    #[test]
    fn starts_and_durations_are_read_and_sorted() {
        assert_eq!(
            parse(" 40+15 , 10,10.0078 ").unwrap(),
            [(10 * SECOND, None), (10_007_800_000, None), (40 * SECOND, Some(15 * SECOND))]
        );
        assert_eq!(parse("0+0.04").unwrap(), [(0, Some(40_000_000))]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(error("10,"), (4, What::ExpectedSeconds));
        assert_eq!(error("10,x"), (4, What::ExpectedSeconds));
        assert_eq!(error("10,,20"), (4, What::ExpectedSeconds));
        assert_eq!(error("10+"), (4, What::ExpectedDuration));
        assert_eq!(error("10+0"), (4, What::ZeroDuration));
        assert_eq!(error("10;20"), (3, What::Unexpected(';')));
        assert_eq!(error("-1"), (1, What::ExpectedSeconds));
        assert_eq!(error("1."), (3, What::ExpectedSeconds));
        assert_eq!(error("1.1234567891"), (12, What::TooManyDecimals));
        assert_eq!(error("10,20,10.0"), (7, What::Twice));
        assert_eq!(error("99999999999999999999999"), (1, What::TooLarge));
        assert_eq!(error("99999999999"), (1, What::TooLarge));
        assert!(parse("10+x").unwrap_err().to_string().contains("character 4"));
    }
}
