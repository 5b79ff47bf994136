//! The report for people at a terminal.

use super::{VideoReport, against::Against, stability::Stability};
use crate::eval::{
    result::EvalResult,
    text::{number, percent, share},
};
use std::fmt::{self, Write};

pub fn table(report: &VideoReport, result: &EvalResult) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_all(&mut out, report, result);
    out
}

fn line(out: &mut String, what: &str, figure: &str) -> fmt::Result {
    writeln!(out, "  {what:<34} {figure}")
}

fn write_all(out: &mut String, report: &VideoReport, result: &EvalResult) -> fmt::Result {
    let system = &result.system;
    writeln!(out, "{}, {}, {}", result.data.name, result.date, result.tool)?;
    writeln!(out, "{} + {} on {}, {}", system.detector, system.age_gender, system.device, system.runtime)?;
    let declared = if report.adult_declared { "adult declared" } else { "no adult declared" };
    writeln!(
        out,
        "{} frames at {:.2} fps, detection every {} frames, description every {}, {declared}",
        report.frames, report.fps, report.inference_interval, report.reclassify_interval
    )?;
    for note in &report.notes {
        writeln!(out, "note: {note}")?;
    }
    stability(out, &report.stability)?;
    report.against.as_ref().map_or(Ok(()), |against| truth(out, against))
}

fn stability(out: &mut String, s: &Stability) -> fmt::Result {
    writeln!(out, "\nTracks")?;
    line(out, "tracks", &s.tracks.to_string())?;
    line(out, "frames with faces", &s.frames_with_faces.to_string())?;
    line(out, "length, s: longest, median", &format!("{}, {}", number(s.longest, 2), number(s.median, 2)))?;
    line(out, "perhaps one person with two ids", &s.fragment_hints.to_string())?;
    line(out, "gender flips a minute of a face", &number(s.gender_flips_per_minute, 2))?;
    line(out, "gender to and from unknown", &number(s.gender_flicker_per_minute, 2))?;
    line(out, "age bin flips a minute", &number(s.age_flips_per_minute, 2))?;
    line(out, "emotion flips a minute", &number(s.emotion_flips_per_minute, 2))?;
    let spread = format!("{}, {}", number(s.age_spread_largest, 1), number(s.age_spread_median, 1));
    line(out, "age spread, years: largest, median", &spread)?;
    line(out, "not described, % of faces", &percent(s.undescribed.share))?;
    line(out, "gender unknown, % of described", &percent(s.gender_unknown.share))?;
    line(out, "emotion unknown, % of described", &percent(s.emotion_unknown.share))?;
    let first =
        format!("{}, {}", number(s.first_description_median, 2), number(s.first_description_longest, 2));
    line(out, "first description, s: median, longest", &first)?;
    writeln!(
        out,
        "  {:>8} {:>8} {:>7} {:>10} {:>12} {:>9}",
        "from s", "to s", "frames", "age spread", "gender flips", "age flips"
    )?;
    for track in &s.each {
        let spread = number(track.age_spread, 1);
        writeln!(
            out,
            "  {:>8.2} {:>8.2} {:>7} {spread:>10} {:>12} {:>9}",
            track.first, track.last, track.frames, track.gender_flips, track.age_flips
        )?;
    }
    Ok(())
}

fn truth(out: &mut String, against: &Against) -> fmt::Result {
    let (mot, identity) = (&against.clear_mot, &against.identity);
    writeln!(
        out,
        "\nAgainst the truth: {} people, {} boxes, IoU {}",
        against.people, mot.boxes, against.iou
    )?;
    line(out, "identity switches", &mot.id_switches.to_string())?;
    line(out, "fragmentations", &mot.fragmentations.to_string())?;
    line(out, "misses", &mot.misses.to_string())?;
    line(out, "false positives", &mot.false_positives.to_string())?;
    line(out, "MOTA %", &percent(mot.mota))?;
    line(out, "MOTP (mean IoU) %", &percent(mot.motp))?;
    line(out, "IDF1 %", &percent(identity.idf1))?;
    line(out, "IDP %, IDR %", &format!("{}, {}", percent(identity.precision), percent(identity.recall)))?;
    line(out, &format!("found within {} frames", against.within), &share(&against.found_within))?;
    let (median, longest) = (against.frames_to_find_median, against.frames_to_find_longest);
    line(out, "frames to find: median, longest", &format!("{}, {}", number(median, 0), number(longest, 0)))?;
    line(out, "never found", &against.never_found.to_string())?;
    if against.beyond_the_clip > 0 {
        line(out, "boxes beyond the clip's end", &against.beyond_the_clip.to_string())?;
    }
    Ok(())
}
