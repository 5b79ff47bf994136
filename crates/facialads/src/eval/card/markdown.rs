//! Results in the words of a model card.

use crate::eval::{
    detection::DetectionReport,
    faces::{AgeReport, EmotionReport, FacesReport, GenderOf, MinorsReport},
    metrics::{bootstrap::Mean, fairness::Fairness},
    result::{EvalResult, Report},
    text::{number, percent, share, span},
};
use std::fmt::{self, Write};

pub const HEADING: &str = "## Evaluation\n\
    Measured by `facialads eval` through the product's own path, one look at each face. Ranges are 95 % intervals. What each \
    figure means: [evaluation.md](../../docs/evaluation.md).\n";

/// A card for a network that has none.
pub fn new_card(model: &str) -> String {
    format!(
        "# {model}\n\n## Source\nTo be written: where it comes from, what it was trained on.\n\n## Licence\nTo be written.\n\n\
         ## Limits\nTo be written.\n"
    )
}

/// Writing into a String cannot fail.
fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut out = String::new();
    let _ = write(&mut out);
    out
}

fn heading(out: &mut String, result: &EvalResult) -> fmt::Result {
    let (data, system) = (&result.data, &result.system);
    let limit = data.limit.map(|limit| format!(", {limit} at most")).unwrap_or_default();
    writeln!(out, "\n### {}, {} files{limit}\n", data.name, data.only)?;
    let expression = system.expression.as_deref().map(|name| format!(" + {name}")).unwrap_or_default();
    writeln!(
        out,
        "{}, {}: {} + {}{expression} on {}, {}.",
        result.date, result.tool, system.detector, system.age_gender, system.device, system.runtime
    )
}

/// How many labelled faces were found.
pub fn found(result: &EvalResult, report: &FacesReport) -> String {
    text(|out| {
        heading(out, result)?;
        writeln!(out, "Of pictures with one labelled face, a face is found on {}.", share(&report.found))
    })
}

pub fn age_gender(result: &EvalResult, report: &FacesReport) -> String {
    text(|out| {
        heading(out, result)?;
        let counts = &report.counts;
        writeln!(
            out,
            "{} faces described; {} not found, {} rejected by quality, {} pictures unreadable.",
            counts.described, counts.not_found, counts.rejected, counts.unreadable
        )?;
        if let Some(gender) = &report.gender {
            writeln!(out, "\n| gender | everybody | adults of 20 and over |\n|---|---|---|")?;
            let adults = gender.adults.as_ref();
            let mut row = |what: &str, figure: &dyn Fn(&GenderOf) -> String| {
                let adults = adults.map_or_else(String::new, figure);
                writeln!(out, "| {what} | {} | {adults} |", figure(&gender.all))
            };
            row("right before abstaining", &|of| share(&of.accuracy))?;
            row(&format!("told (from {:.2} on)", gender.threshold), &|of| share(&of.kept))?;
            row("right of those told", &|of| share(&of.accuracy_kept))?;
            row("calibration error", &|of| number(of.calibration.ece, 3))?;
            row("gap between groups", &|of| gap(&of.groups))?;
            row("the same, told", &|of| gap(&of.groups_kept))?;
            row("women and men", &|of| gap(&of.genders))?;
            row("the same, told", &|of| gap(&of.genders_kept))?;
            groups(out, adults.unwrap_or(&gender.all), adults.is_some())?;
        }
        if let Some(age) = &report.age {
            of_age(out, age)?;
        }
        report.minors.as_ref().map_or(Ok(()), |minors| of_minors(out, minors))
    })
}

/// "7.1 points (4.0–15.2), Middle Eastern over Black; by chance 5.9".
fn gap(fairness: &Fairness) -> String {
    fairness.gap.as_ref().map_or_else(String::new, |gap| {
        format!(
            "{:.1} points ({}), {} over {}; by chance {:.1}",
            gap.gap * 100.0,
            span(gap.low, gap.high),
            gap.best,
            gap.worst,
            gap.chance_mean * 100.0
        )
    })
}

fn groups(out: &mut String, gender: &GenderOf, adults: bool) -> fmt::Result {
    let who = if adults { "adults" } else { "everybody" };
    let rows = gender.groups.groups.iter().map(|(name, all)| {
        let told = gender.kept_by_group.get(name).map_or_else(String::new, |kept| percent(kept.share));
        (name, all, told, gender.groups_kept.groups.get(name))
    });
    let genders = gender.genders.groups.iter().map(|(name, all)| {
        let of_told = gender.genders_kept.groups.get(name);
        let told = of_told.map(|told| told.of as f64 / all.of.max(1) as f64);
        (name, all, percent(told), of_told)
    });
    writeln!(
        out,
        "\n| gender, {who} | right before abstaining | told, % | right of those told |\n|---|---|---|---|"
    )?;
    for (name, all, told, of_told) in rows.chain(genders) {
        writeln!(out, "| {name} | {} | {told} | {} |", share(all), of_told.map_or_else(String::new, share))?;
    }
    Ok(())
}

fn mean(mean: &Mean) -> String {
    format!("{:.2} ({:.2}–{:.2})", mean.mean, mean.low, mean.high)
}

fn of_age(out: &mut String, age: &AgeReport) -> fmt::Result {
    writeln!(out, "\n| age | n = {} |\n|---|---|", age.n)?;
    let distances = [
        ("mean error, years", &age.mae),
        ("distance to the labelled bin, years", &age.distance_to_bin),
        ("distance to its midpoint, years", &age.distance_to_midpoint),
    ];
    for (what, figure) in distances.iter().filter_map(|(what, figure)| Some((what, figure.as_ref()?))) {
        writeln!(out, "| {what} | {} |", mean(figure))?;
    }
    writeln!(out, "| bin exact | {} |", share(&age.exact))?;
    writeln!(out, "| bin exact or next | {} |", share(&age.within_one))?;
    writeln!(out, "| likeliest bin exact | {} |", share(&age.likeliest))?;
    writeln!(out, "| calibration error of the likeliest bin | {} |", number(age.calibration.ece, 3))?;
    if let Some(coverage) = &age.interval.coverage {
        writeln!(
            out,
            "| interval holds the truth ({} % claimed) | {:.1} % ({}) |",
            percent(Some(age.interval.claimed)),
            coverage.mean * 100.0,
            span(coverage.low, coverage.high)
        )?;
    }
    writeln!(out, "| width of the interval, years | {:.1} |", age.interval.width)
}

fn of_minors(out: &mut String, minors: &MinorsReport) -> fmt::Result {
    writeln!(
        out,
        "\n| passes the minors' rule after one look | without a declaration | with one |\n|---|---|---|"
    )?;
    writeln!(out, "| **{}** | {} | {} |", minors.who, share(&minors.undeclared), share(&minors.declared))?;
    writeln!(
        out,
        "| 20 and over | {} | {} |",
        share(&minors.adults_undeclared),
        share(&minors.adults_declared)
    )?;
    for bin in &minors.by_bin {
        let (undeclared, declared) = (percent(bin.undeclared.share), percent(bin.declared.share));
        writeln!(out, "| {} (n = {}) | {undeclared} % | {declared} % |", bin.bin, bin.undeclared.of)?;
    }
    Ok(())
}

pub fn emotion(result: &EvalResult, emotion: &EmotionReport) -> String {
    text(|out| {
        heading(out, result)?;
        writeln!(out, "\n| emotion | |\n|---|---|")?;
        writeln!(out, "| right before abstaining | {} |", share(&emotion.accuracy))?;
        writeln!(out, "| told (from {:.2} on) | {} |", emotion.threshold, share(&emotion.kept))?;
        writeln!(out, "| right of those told | {} |", share(&emotion.accuracy_kept))?;
        writeln!(out, "| calibration error | {} |", number(emotion.calibration.ece, 3))?;
        for (name, right) in &emotion.precision_kept {
            writeln!(out, "| right when \"{name}\" is told | {} |", share(right))?;
        }
        Ok(())
    })
}

pub fn detection(result: &EvalResult, report: &DetectionReport) -> String {
    text(|out| {
        heading(out, result)?;
        writeln!(
            out,
            "{} pictures, {} faces ({} ignored), {} ms a picture (median, this machine).",
            report.pictures,
            report.faces,
            report.ignored,
            number(report.ms_median, 1)
        )?;
        let heights: Vec<&str> = report
            .at_iou
            .first()
            .iter()
            .flat_map(|at| &at.recall_by_height)
            .map(|bin| bin.height.as_str())
            .collect();
        writeln!(
            out,
            "\n| IoU | AP | AP from 16 px | false positives a picture | recall, % | {} px |",
            heights.join(" / ")
        )?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        for at in &report.at_iou {
            let recalls: Vec<String> =
                at.recall_by_height.iter().map(|bin| percent(bin.recall.share)).collect();
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                at.iou,
                number(at.ap, 3),
                number(at.ap_from_16, 3),
                number(at.false_positives_per_picture, 2),
                percent(at.recall.share),
                recalls.join(" / ")
            )?;
        }
        Ok(())
    })
}

/// The leak of the minors' rule, for the page on privacy.
pub fn leak(results: &[EvalResult]) -> String {
    text(|out| {
        writeln!(
            out,
            "Measured by `facialads eval` ([evaluation.md](evaluation.md)), one look at each face, with 95 % intervals:\n"
        )?;
        writeln!(out, "| data | who | pass without a declaration | pass with one |\n|---|---|---|---|")?;
        for result in results {
            let Report::Faces(report) = &result.report else { continue };
            let Some(minors) = &report.minors else { continue };
            let data = format!("{}, {} files, {}", result.data.name, result.data.only, result.date);
            let (undeclared, declared) = (share(&minors.undeclared), share(&minors.declared));
            writeln!(out, "| {data} | **{}** | {undeclared} | {declared} |", minors.who)?;
            let (undeclared, declared) = (share(&minors.adults_undeclared), share(&minors.adults_declared));
            writeln!(out, "| {data} | 20 and over | {undeclared} | {declared} |")?;
        }
        writeln!(
            out,
            "\nNo threshold means \"never\": this is why a declaration is asked for, and why a single veto is final."
        )
    })
}
