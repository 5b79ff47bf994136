//! Figures as people read them.

use super::metrics::share::Share;

/// What is written where there is nothing to tell.
pub const NONE: &str = "—";

/// "85.1" of 0.851.
pub fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| NONE.to_owned(), |part| format!("{:.1}", part * 100.0))
}

/// "85.1 % (81.0–88.4, 320 of 376)".
pub fn share(share: &Share) -> String {
    match share.share {
        None => format!("{NONE} (0 of 0)"),
        Some(_) => format!(
            "{} % ({}, {} of {})",
            percent(share.share),
            span(share.low, share.high),
            share.right,
            share.of
        ),
    }
}

/// "81.0–88.4" of parts.
pub fn span(low: f64, high: f64) -> String {
    format!("{:.1}–{:.1}", low * 100.0, high * 100.0)
}

/// A number with so many decimals.
pub fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_percent_with_their_interval() {
        assert_eq!(share(&Share::new(8, 10)), "80.0 % (49.0–94.3, 8 of 10)");
        assert_eq!(share(&Share::new(0, 0)), "— (0 of 0)");
        assert_eq!((percent(None), number(Some(5.267), 2)), ("—".into(), "5.27".into()));
    }
}
