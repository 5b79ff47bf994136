//! The words that data sets use.

use crate::eval::metrics::interval::Truth;
use facialads_vision::face::Emotion;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Female,
    Male,
}

/// Oldest believable age.
const OLDEST: f64 = 120.0;

/// A number of years, or a bin by its whole years: "31", "20-29", "(25, 32)", "70+", "more than 70", ">70". "more than 70" is
/// FairFace's way to write "70 or more".
pub fn age(text: &str) -> Result<Truth, String> {
    let wrong = || format!("\"{text}\" is no age: write years (31) or a bin (20-29, 70+)");
    let lower = text.trim().to_ascii_lowercase();
    let believable = |years: f64| (0.0..=OLDEST).contains(&years).then_some(years);
    let number = |part: &str| part.trim().parse::<f64>().ok().and_then(believable);
    if let Some(years) = number(&lower) {
        return Ok(Truth::Years(years));
    }
    let open = lower
        .strip_suffix('+')
        .or_else(|| lower.strip_prefix("more than"))
        .or_else(|| lower.strip_prefix("over"))
        .or_else(|| lower.strip_prefix(">="))
        .or_else(|| lower.strip_prefix('>'));
    if let Some(low) = open {
        return number(low).map(|low| Truth::Bin { low, high: f64::INFINITY }).ok_or_else(wrong);
    }
    let bare = lower.trim_start_matches(['(', '[']).trim_end_matches([')', ']']);
    let (low, high) =
        bare.split_once(['-', '–', ',']).or_else(|| bare.split_once(" to ")).ok_or_else(wrong)?;
    let (low, high) = number(low).zip(number(high)).filter(|(low, high)| low <= high).ok_or_else(wrong)?;
    // "20-29" lasts until the thirtieth birthday.
    Ok(Truth::Bin { low, high: high + 1.0 })
}

/// male, female, m, f, man, woman, or UTKFace's 0 (male) and 1 (female).
pub fn gender(text: &str) -> Result<Gender, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "female" | "f" | "woman" | "1" => Ok(Gender::Female),
        "male" | "m" | "man" | "0" => Ok(Gender::Male),
        _ => Err(format!(
            "\"{text}\" is no gender: write female or male (f, m; UTKFace's 0 is male, 1 female)"
        )),
    }
}

/// The seven that the product tells apart, by any of their usual names. Numbers are refused: FER and AffectNet count
/// differently.
pub fn emotion(text: &str) -> Result<Emotion, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "neutral" | "neutrality" => Ok(Emotion::Neutral),
        "happy" | "happiness" | "joy" => Ok(Emotion::Happy),
        "sad" | "sadness" => Ok(Emotion::Sad),
        "angry" | "anger" => Ok(Emotion::Angry),
        "fearful" | "fear" | "afraid" => Ok(Emotion::Fearful),
        "disgusted" | "disgust" => Ok(Emotion::Disgusted),
        "surprised" | "surprise" => Ok(Emotion::Surprised),
        digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => Err(format!(
            "emotion \"{digits}\": data sets number emotions differently; write names (neutral, happy, …)"
        )),
        _ => {
            let known = Emotion::KNOWN.map(Emotion::name).join(", ");
            Err(format!("\"{text}\" is none of the emotions told apart here: {known}"))
        }
    }
}

/// UTKFace's numbers of groups, in its own words.
pub fn utkface_group(number: &str) -> Option<&'static str> {
    ["White", "Black", "Asian", "Indian", "Others"].get(number.parse::<usize>().ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_as_data_sets_write_them() {
        let bin = |low, high| Ok(Truth::Bin { low, high });
        assert_eq!(age(" 31 "), Ok(Truth::Years(31.0)));
        assert_eq!(age("20-29"), bin(20.0, 30.0));
        assert_eq!(age("0-2"), bin(0.0, 3.0));
        assert_eq!(age("(25, 32)"), bin(25.0, 33.0));
        for open in ["70+", "more than 70", "More Than 70", ">70", ">= 70", "over 70"] {
            assert_eq!(age(open), bin(70.0, f64::INFINITY), "{open}");
        }
        for bad in ["", "-1", "29-20", "121", "old", "NaN", "20-", "+", "more than", "inf"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn genders_and_emotions_by_their_usual_names() {
        assert_eq!(
            (gender("Female"), gender("M"), gender("0")),
            (Ok(Gender::Female), Ok(Gender::Male), Ok(Gender::Male))
        );
        assert!(gender("2").is_err() && gender("").is_err());
        assert_eq!((emotion("Happiness"), emotion("fear")), (Ok(Emotion::Happy), Ok(Emotion::Fearful)));
        assert!(emotion("3").unwrap_err().contains("write names"));
        assert!(emotion("contempt").unwrap_err().contains("neutral, happy"));
    }
}
