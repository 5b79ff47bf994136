//! `facialads eval card`: results into the model cards. What people wrote in a card stays as it is.

mod markdown;
mod section;

use super::result::{EvalResult, Report};
use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Rewrites the part of the model cards that is between the markers, from results written with `--json`. Cards of results that
/// are not given keep theirs.
#[derive(clap::Args)]
pub struct Command {
    /// Results, in the order in which they are to stand in the cards
    #[arg(required = true, value_name = "RESULT.json")]
    results: Vec<PathBuf>,
    /// The folder with the cards, NAME.md for each network
    #[arg(long, value_name = "DIR", default_value = "models/cards")]
    out: PathBuf,
    /// Write the leak of the minors' rule into this page too, between the same markers
    #[arg(long, value_name = "FILE")]
    privacy: Option<PathBuf>,
}

pub fn run(command: &Command) -> Result<()> {
    let results: Vec<EvalResult> =
        command.results.iter().map(|file| EvalResult::read(file)).collect::<Result<_>>()?;
    update(&results, &command.out)?;
    if let Some(page) = &command.privacy {
        rewrite(page, &markdown::leak(&results))?;
    }
    Ok(())
}

/// Rewrites the cards that these results are about.
pub fn update(results: &[EvalResult], folder: &Path) -> Result<()> {
    let mut cards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for result in results {
        let mut add = |model: &str, text: String| cards.entry(card_of(model)).or_default().push(text);
        match &result.report {
            Report::Faces(report) => {
                add(&result.system.detector, markdown::found(result, report));
                // Of two networks that are joined, both cards tell what they do together.
                for model in result.system.age_gender.split(" + ") {
                    add(model, markdown::age_gender(result, report));
                }
                if let (Some(model), Some(emotion)) = (&result.system.expression, &report.emotion) {
                    add(model, markdown::emotion(result, emotion));
                }
            }
            Report::Detection(report) => add(&result.system.detector, markdown::detection(result, report)),
            Report::Video(_) => {
                eprintln!(
                    "{}: results of clips are about a pipeline, not a network; no card",
                    result.data.name
                );
            }
        }
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (model, parts) in cards {
        let file = folder.join(format!("{model}.md"));
        if !file.exists() {
            std::fs::write(&file, markdown::new_card(&model))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        rewrite(&file, &(markdown::HEADING.to_owned() + &parts.concat()))?;
    }
    Ok(())
}

/// Name of a model, also of one that was given as a file.
fn card_of(model: &str) -> String {
    Path::new(model).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn rewrite(file: &Path, text: &str) -> Result<()> {
    let named = || file.display().to_string();
    let old = std::fs::read_to_string(file).with_context(named)?;
    let new = section::replace(&old, text).with_context(named)?;
    if new != old {
        std::fs::write(file, new).with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("{} rewritten", file.display());
    }
    Ok(())
}
