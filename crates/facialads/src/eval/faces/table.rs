//! The report for people at a terminal.

use super::{AgeReport, EmotionReport, FacesReport, GenderOf, MinorsReport};
use crate::eval::{
    metrics::{
        abstention::Point,
        bootstrap::Mean,
        calibration::Calibration,
        fairness::{Fairness, Gap},
    },
    result::EvalResult,
    text::{NONE, number, percent, share, span},
};
use std::fmt::{self, Write};

pub fn table(report: &FacesReport, result: &EvalResult) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_all(&mut out, report, result);
    out
}

fn write_all(out: &mut String, report: &FacesReport, result: &EvalResult) -> fmt::Result {
    let (data, system, counts) = (&result.data, &result.system, &report.counts);
    writeln!(out, "{} ({} files), {}, {}", data.name, data.only, result.date, result.tool)?;
    let emotion = system.expression.as_deref().filter(|_| report.emotion.is_some());
    let emotion = emotion.map(|name| format!(" + {name}")).unwrap_or_default();
    writeln!(
        out,
        "{} + {}{emotion} on {}, {}",
        system.detector, system.age_gender, system.device, system.runtime
    )?;
    writeln!(
        out,
        "Parts are followed by their 95 % intervals (Wilson; others bootstrap, seed {}).\n",
        data.seed
    )?;
    line(out, "faces found", &share(&report.found))?;
    line(
        out,
        "described",
        &format!(
            "{} ({} not found, {} rejected by quality)",
            counts.described, counts.not_found, counts.rejected
        ),
    )?;
    if counts.bad_rows + counts.unreadable + counts.left_out > 0 {
        let text = format!(
            "{} bad rows, {} unreadable pictures, {} by --only or --limit",
            counts.bad_rows, counts.unreadable, counts.left_out
        );
        line(out, "left out", &text)?;
    }
    if let Some(gender) = &report.gender {
        of_gender(out, "Gender, everybody", &gender.all, gender.threshold)?;
        if let Some(adults) = &gender.adults {
            of_gender(out, "Gender, adults of 20 and over", adults, gender.threshold)?;
        }
    }
    if let Some(age) = &report.age {
        of_age(out, age)?;
    }
    if let Some(emotion) = &report.emotion {
        of_emotion(out, emotion)?;
    }
    if let Some(minors) = &report.minors {
        of_minors(out, minors)?;
    }
    Ok(())
}

fn line(out: &mut String, what: &str, figure: &str) -> fmt::Result {
    writeln!(out, "  {what:<34} {figure}")
}

fn of_gender(out: &mut String, title: &str, gender: &GenderOf, threshold: f64) -> fmt::Result {
    writeln!(out, "\n{title}")?;
    line(out, "right before abstaining", &share(&gender.accuracy))?;
    line(out, &format!("kept at {threshold:.2}"), &share(&gender.kept))?;
    line(out, "right of those kept", &share(&gender.accuracy_kept))?;
    if let Some(point) = &gender.most_at_95 {
        let text = format!("{} % from {:.3}", percent(point.kept.share), point.threshold);
        line(out, "most that 95 % right would keep", &text)?;
    }
    calibrated(out, &gender.calibration)?;
    gap(out, "gap between groups", &gender.groups)?;
    gap(out, "gap between groups, kept", &gender.groups_kept)?;
    gap(out, "women and men", &gender.genders)?;
    gap(out, "women and men, kept", &gender.genders_kept)?;
    if !gender.groups.groups.is_empty() || !gender.genders.groups.is_empty() {
        writeln!(out, "  {:<20} {:>30} {:>8} {:>30}", "", "right, all", "kept %", "right of those kept")?;
    }
    for (name, all) in &gender.groups.groups {
        let kept = gender.kept_by_group.get(name).map(|kept| percent(kept.share)).unwrap_or_default();
        by_group(out, name, all, &kept, &gender.groups_kept)?;
    }
    for (name, all) in &gender.genders.groups {
        let kept = gender.genders_kept.groups.get(name).map(|kept| kept.of as f64 / all.of.max(1) as f64);
        by_group(out, name, all, &percent(kept), &gender.genders_kept)?;
    }
    curve(out, &gender.curve)
}

fn by_group(
    out: &mut String,
    name: &str,
    all: &crate::eval::metrics::share::Share,
    kept: &str,
    of_kept: &Fairness,
) -> fmt::Result {
    let right = of_kept.groups.get(name).map_or_else(|| NONE.to_owned(), share);
    writeln!(out, "  {name:<20} {:>30} {kept:>8} {right:>30}", share(all))
}

fn gap(out: &mut String, what: &str, fairness: &Fairness) -> fmt::Result {
    match &fairness.gap {
        Some(gap) => line(out, what, &gap_text(gap)),
        None => Ok(()),
    }
}

/// "7.1 points (4.0–15.2), Middle Eastern over Black; 5.9 by chance alone, p = 0.31".
pub fn gap_text(gap: &Gap) -> String {
    format!(
        "{:.1} points ({}), {} over {}; {:.1} by chance alone, p = {:.2}",
        gap.gap * 100.0,
        span(gap.low, gap.high),
        gap.best,
        gap.worst,
        gap.chance_mean * 100.0,
        gap.chance
    )
}

fn calibrated(out: &mut String, calibration: &Calibration) -> fmt::Result {
    line(out, "expected calibration error", &number(calibration.ece, 3))?;
    for bin in &calibration.bins {
        let told =
            format!("said {} %, right {} %", percent(Some(bin.confidence)), percent(Some(bin.accuracy)));
        line(out, &format!("  {:.1} to {:.1}", bin.above, bin.up_to), &format!("{told}, n = {}", bin.n))?;
    }
    Ok(())
}

fn curve(out: &mut String, points: &[Point]) -> fmt::Result {
    writeln!(out, "  threshold   kept %   right %")?;
    for point in points {
        let (kept, right) = (percent(point.kept.share), percent(point.accuracy.share));
        writeln!(out, "  {:>9.2} {kept:>8} {right:>9}", point.threshold)?;
    }
    Ok(())
}

/// "5.27 (4.90–5.66, n = 373)".
pub fn mean_text(mean: &Mean, decimals: usize) -> String {
    format!("{:.decimals$} ({:.decimals$}–{:.decimals$}, n = {})", mean.mean, mean.low, mean.high, mean.n)
}

fn of_age(out: &mut String, age: &AgeReport) -> fmt::Result {
    writeln!(out, "\nAge")?;
    let distances = [
        ("mean error in years", &age.mae),
        ("years to the labelled bin", &age.distance_to_bin),
        ("years to the bin's midpoint", &age.distance_to_midpoint),
    ];
    for (what, mean) in distances.iter().filter_map(|(what, mean)| Some((what, mean.as_ref()?))) {
        line(out, what, &mean_text(mean, 2))?;
    }
    line(out, "bin exact", &share(&age.exact))?;
    line(out, "bin exact or next", &share(&age.within_one))?;
    line(out, "likeliest bin exact", &share(&age.likeliest))?;
    let interval = &age.interval;
    let claimed = percent(Some(interval.claimed));
    if let Some(coverage) = &interval.coverage {
        let text = format!(
            "{:.1} % ({}), {claimed} % claimed",
            coverage.mean * 100.0,
            span(coverage.low, coverage.high)
        );
        line(out, "interval holds the truth", &text)?;
    }
    line(out, "interval touches the label", &share(&interval.touches))?;
    line(out, "width of the interval, years", &format!("{:.1}", interval.width))?;
    calibrated(out, &age.calibration)?;
    writeln!(out, "  {:<8} {:>5} {:>14} {:>8} {:>10}", "bin", "n", "years off", "bias", "covered %")?;
    for bin in &age.by_bin {
        let covered = percent(Some(bin.coverage));
        writeln!(
            out,
            "  {:<8} {:>5} {:>14.1} {:>8.1} {covered:>10}",
            bin.bin, bin.n, bin.distance, bin.bias
        )?;
    }
    Ok(())
}

fn of_emotion(out: &mut String, emotion: &EmotionReport) -> fmt::Result {
    writeln!(out, "\nEmotion")?;
    line(out, "right before abstaining", &share(&emotion.accuracy))?;
    line(out, &format!("kept at {:.2}", emotion.threshold), &share(&emotion.kept))?;
    line(out, "right of those kept", &share(&emotion.accuracy_kept))?;
    calibrated(out, &emotion.calibration)?;
    for (name, right) in &emotion.precision_kept {
        line(out, &format!("right when \"{name}\" is said"), &share(right))?;
    }
    for (truth, said) in &emotion.confusion {
        let said: Vec<String> = said.iter().map(|(name, n)| format!("{name} {n}")).collect();
        line(out, &format!("{truth} taken for"), &said.join(", "))?;
    }
    curve(out, &emotion.curve)
}

fn of_minors(out: &mut String, minors: &MinorsReport) -> fmt::Result {
    writeln!(out, "\nMinors' rule: the leak, after one look")?;
    line(out, &format!("{}, undeclared, pass", minors.who), &share(&minors.undeclared))?;
    line(out, &format!("{}, declared, pass", minors.who), &share(&minors.declared))?;
    line(out, "20 and over, undeclared, pass", &share(&minors.adults_undeclared))?;
    line(out, "20 and over, declared, pass", &share(&minors.adults_declared))?;
    writeln!(out, "  {:<8} {:>5} {:>14} {:>12}", "bin", "n", "undeclared %", "declared %")?;
    for bin in &minors.by_bin {
        let (undeclared, declared) = (percent(bin.undeclared.share), percent(bin.declared.share));
        writeln!(out, "  {:<8} {:>5} {undeclared:>14} {declared:>12}", bin.bin, bin.undeclared.of)?;
    }
    Ok(())
}
