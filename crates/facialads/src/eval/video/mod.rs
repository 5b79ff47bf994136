//! `facialads eval video`: people in a clip, as `faceanalyze` follows and describes them.

mod against;
mod clip;
mod follow;
mod report;
mod stability;
mod table;
mod truth;

pub use report::VideoReport;

use super::{
    networks::{Networks, part},
    result::{Data, EvalResult, Report, name_of},
};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Follows and describes the people in a clip as faceanalyze does for a file: in step, every frame.
#[derive(clap::Args)]
pub struct Command {
    /// Anything that GStreamer decodes
    clip: PathBuf,
    /// Where the people are: {"fps": …, "people": [{"id": …, "boxes": [[frame, x, y, width, height], …]}]} with frames counted
    /// from 0, or MOTChallenge's gt.txt
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Frames between detections, as the element's property
    #[arg(long, value_name = "FRAMES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    inference_interval: u32,
    /// Frames between two descriptions of a face, as the element's property
    #[arg(long, value_name = "FRAMES", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    reclassify_interval: u32,
    /// As if no viewer had declared being an adult
    #[arg(long)]
    undeclared: bool,
    /// Emotion too
    #[arg(long)]
    emotion: bool,
    /// Least overlap (IoU) at which a track is on a person of the truth
    #[arg(long, default_value = "0.5", value_parser = part)]
    iou: f32,
    /// Frames within which a person of the truth should be found
    #[arg(long, value_name = "FRAMES", default_value_t = 5)]
    within: u32,
    /// As many frames at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// For track ids
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seed: u64,
    #[command(flatten)]
    networks: Networks,
    /// Write the result there as JSON; `-` is the terminal, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(command: &Command) -> Result<()> {
    let truth = command.truth.as_deref().map(truth::read).transpose()?;
    for bad in truth.iter().flat_map(|truth| &truth.bad) {
        eprintln!("{}: {bad}", command.truth.as_deref().unwrap_or(Path::new("")).display());
    }
    let mut options = command.networks.options(command.seed)?;
    if !command.emotion {
        options.expression = None;
    }
    let limit = command.limit.and_then(|limit| usize::try_from(limit).ok());
    let settings = follow::Settings {
        inference_interval: command.inference_interval,
        reclassify_interval: command.reclassify_interval,
        adult_declared: !command.undeclared,
        limit,
    };
    let followed = follow::follow(&command.clip, &options, &settings)?;
    if let Some(fps) = truth.as_ref().and_then(|truth| truth.fps)
        && (fps - followed.fps).abs() > 0.01 * fps
    {
        eprintln!(
            "the truth is of {fps} fps and the clip has {}: frames may not be the same ones",
            followed.fps
        );
    }
    let against = truth.as_ref().map(|truth| {
        against::Against::new(
            &followed,
            truth,
            command.iou,
            usize::try_from(command.within).unwrap_or(usize::MAX),
        )
    });
    let report = VideoReport::new(&followed, &settings, against);
    let data = Data { name: name_of(&command.clip), only: "all".to_owned(), limit, seed: command.seed };
    let system = command.networks.system(&options);
    let result = EvalResult::new(data, system, Report::Video(Box::new(report)));
    if let Some(file) = &command.json {
        result.write(file)?;
    }
    if command.json.as_deref() != Some(Path::new("-"))
        && let Report::Video(report) = &result.report
    {
        crate::report::print(&table::table(report, &result))?;
    }
    Ok(())
}
