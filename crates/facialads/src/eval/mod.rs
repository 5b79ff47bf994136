//! `facialads eval`: how well faces are found, described and followed, on pictures and clips with labels.
//!
//! Everything is looked at through the same code as in a pipeline; what is printed is also written as JSON, from which the
//! model cards are made. What each figure means: docs/evaluation.md.

mod card;
mod consent;
mod detection;
mod faces;
mod labels;
mod metrics;
mod networks;
mod picture;
mod progress;
mod result;
mod text;
mod video;

use anyhow::Result;

/// Measures faces found, described and followed against labels.
#[derive(clap::Args)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Age, gender and emotion of labelled faces: accuracy, calibration, abstention, gaps between groups, minors
    Faces(faces::Command),
    /// Boxes of faces against labelled ones: average precision, recall by size, false positives, time
    Detection(detection::Command),
    /// A clip as faceanalyze sees it: tracks, flicker and spread, and with a truth identity switches, MOTA and IDF1
    Video(video::Command),
    /// Rewrites the measured part of the model cards from results that were written with --json
    Card(card::Command),
}

pub fn run(command: Command) -> Result<()> {
    match command.what {
        What::Faces(command) => faces::run(&command),
        What::Detection(command) => detection::run(&command),
        What::Video(command) => video::run(&command),
        What::Card(command) => card::run(&command),
    }
}
