//! The measured part of a page, between two markers.

use anyhow::{Result, bail};

pub const BEGIN: &str =
    "<!-- eval: written by `facialads eval card`; what is changed by hand here is lost -->";
pub const END: &str = "<!-- eval: end -->";
/// Where a page has no markers yet: before this heading, else at the end.
const BEFORE: &str = "\n## Limits\n";

/// The page with `text` between its markers.
///
/// # Errors
/// Only one of the markers is there, or they stand the wrong way round.
pub fn replace(page: &str, text: &str) -> Result<String> {
    let part = format!("{BEGIN}\n{}\n{END}", text.trim());
    match (page.find(BEGIN), page.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            Ok(format!("{}{part}{}", &page[..begin], &page[end + END.len()..]))
        }
        (None, None) => Ok(match page.find(BEFORE) {
            Some(at) => format!("{}\n{part}\n{}", &page[..at], &page[at..]),
            None => format!("{}\n\n{part}\n", page.trim_end()),
        }),
        _ => {
            bail!("the markers \"{BEGIN}\" and \"{END}\" do not stand in pairs; remove what is left of them")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays_and_a_second_time_changes_nothing() {
        let card = "# a\n\nBy hand.\n\n## Limits\nMany.\n";
        let first = replace(card, "1 %\n").unwrap();
        assert!(
            first.starts_with("# a\n\nBy hand.\n\n<!-- eval: w")
                && first.ends_with("end -->\n\n## Limits\nMany.\n")
        );
        assert_eq!(replace(&first, "1 %").unwrap(), first);
        let second = replace(&first, "2 %").unwrap();
        assert!(second.contains("2 %") && !second.contains("1 %") && second.ends_with("## Limits\nMany.\n"));
    }

    #[test]
    fn a_page_without_limits_gets_it_at_the_end_and_half_a_pair_is_refused() {
        assert!(replace("# a\n", "x").unwrap().ends_with("x\n<!-- eval: end -->\n"));
        assert!(replace(&format!("# a\n{END}\n"), "x").is_err());
        assert!(replace(&format!("{END}\n{BEGIN}\n"), "x").is_err());
    }
}
