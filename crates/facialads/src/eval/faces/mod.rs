//! `facialads eval faces`: what is said of labelled faces, and how much of it is true.

mod age;
mod emotion;
mod gender;
mod look;
mod minors;
mod report;
mod table;
#[cfg(test)]
mod testing;

pub use age::AgeReport;
pub use emotion::EmotionReport;
pub use gender::GenderOf;
pub use minors::MinorsReport;
pub use report::FacesReport;

use super::{
    card,
    labels::{self, Choice, Labelled, Parity},
    networks::Networks,
    result::{Data, EvalResult, Report, name_of},
};
use anyhow::{Result, bail};
use facialads_vision::face::Described;
use std::path::{Path, PathBuf};

/// Looks at each labelled face as a pipeline would at its first look, and compares what is said with the labels.
#[derive(clap::Args)]
pub struct Command {
    /// A CSV file whose header names some of file, age, gender, group, emotion; or a folder of pictures named as UTKFace's or
    /// lying in folders named after emotions
    labels: PathBuf,
    /// Where the CSV file's pictures lie [default: beside it]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// By the last number in the file's name: choose settings on one half, report the other
    #[arg(long, value_enum, default_value_t)]
    only: Parity,
    /// As many pictures at most, drawn at random
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// For what is drawn at random: pictures and intervals
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    networks: Networks,
    /// Write the result there as JSON; `-` is the terminal, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rewrite the measured part of the model cards in this folder
    #[arg(long, value_name = "DIR")]
    card: Option<PathBuf>,
}

/// A face that was described, with its labels.
pub struct Case {
    pub truth: Labelled,
    pub said: Described,
}

pub fn run(command: &Command) -> Result<()> {
    let labels = labels::read(&command.labels, command.images.as_deref())?;
    for note in labels.notes.iter().chain(&labels.bad) {
        eprintln!("{}: {note}", command.labels.display());
    }
    let limit = command.limit.and_then(|limit| usize::try_from(limit).ok());
    let choice = Choice { only: command.only, limit, seed: command.seed };
    let (faces, left_out) = choice.of(labels.faces);
    if faces.is_empty() {
        bail!(
            "no labelled pictures in {} ({} unreadable, {left_out} left out by --only)",
            command.labels.display(),
            labels.bad.len()
        );
    }
    let mut options = command.networks.options(command.seed)?;
    let emotion = f64::from(options.emotion_threshold);
    // The likeliest emotion is wanted whatever its probability; the threshold is applied in the report.
    options.emotion_threshold = 0.0;
    if faces.iter().all(|face| face.emotion.is_none()) {
        options.expression = None;
    }
    let system = command.networks.system(&options);
    let looked = look::all(faces, &options)?;
    let thresholds = report::Thresholds { gender: f64::from(looked.gender_threshold), emotion };
    let mut report = FacesReport::new(&looked, &thresholds, command.seed);
    report.counts.bad_rows = labels.bad.len() as u64;
    report.counts.left_out = left_out as u64;
    let data = Data {
        name: name_of(&command.labels),
        only: command.only.name().to_owned(),
        limit,
        seed: command.seed,
    };
    let result = EvalResult::new(data, system, Report::Faces(Box::new(report)));
    if let Some(file) = &command.json {
        result.write(file)?;
    }
    if command.json.as_deref() != Some(Path::new("-"))
        && let Report::Faces(report) = &result.report
    {
        crate::report::print(&table::table(report, &result))?;
    }
    match &command.card {
        Some(folder) => card::update(std::slice::from_ref(&result), folder),
        None => Ok(()),
    }
}
