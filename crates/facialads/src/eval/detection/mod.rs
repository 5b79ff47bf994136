//! `facialads eval detection`: boxes against labelled boxes.

mod look;
mod report;
mod table;
mod truth;

pub use report::DetectionReport;

use super::{
    card,
    metrics::random::Random,
    networks::Networks,
    result::{Data, EvalResult, Report, name_of},
};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Looks for faces on pictures with labelled boxes, as a pipeline would.
#[derive(clap::Args)]
pub struct Command {
    /// WIDER FACE's text (wider_face_val_bbx_gt.txt), or JSON: {"images": [{"file": …, "boxes": [[x, y, width, height], …]}]},
    /// or COCO's
    boxes: PathBuf,
    /// Where the pictures lie [default: beside the boxes]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// As many pictures at most, drawn at random
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// For what is drawn at random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Average precision is taken over detections from this confidence on; everything else from the product's threshold on
    #[arg(long, default_value = "0.02", value_parser = super::networks::part)]
    floor: f32,
    /// Labelled faces lower than this many pixels neither count as found nor as missed
    #[arg(long, value_name = "PIXELS", default_value_t = 0)]
    min_height: u32,
    #[command(flatten)]
    networks: Networks,
    /// Write the result there as JSON; `-` is the terminal, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rewrite the measured part of the detector's card in this folder
    #[arg(long, value_name = "DIR")]
    card: Option<PathBuf>,
}

pub fn run(command: &Command) -> Result<()> {
    let mut truth = truth::read(&command.boxes, command.images.as_deref(), command.min_height as f32)?;
    for bad in &truth.bad {
        eprintln!("{}: {bad}", command.boxes.display());
    }
    if truth.pictures.is_empty() {
        bail!("no pictures with boxes in {}", command.boxes.display());
    }
    let limit = command.limit.and_then(|limit| usize::try_from(limit).ok());
    if let Some(limit) = limit {
        Random::new(command.seed).shuffle(&mut truth.pictures);
        truth.pictures.truncate(limit);
    }
    let options = command.networks.options(command.seed)?;
    let looked = look::all(&truth.pictures, &options, command.floor)?;
    let report = DetectionReport::new(&looked, truth.bad.len() as u64, command.floor);
    let data = Data { name: name_of(&command.boxes), only: "all".to_owned(), limit, seed: command.seed };
    let system = command.networks.system(&options);
    let result = EvalResult::new(data, system, Report::Detection(Box::new(report)));
    if let Some(file) = &command.json {
        result.write(file)?;
    }
    if command.json.as_deref() != Some(Path::new("-"))
        && let Report::Detection(report) = &result.report
    {
        crate::report::print(&table::table(report, &result))?;
    }
    match &command.card {
        Some(folder) => card::update(std::slice::from_ref(&result), folder),
        None => Ok(()),
    }
}
