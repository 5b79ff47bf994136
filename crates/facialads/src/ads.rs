//! `facialads ads`: campaign files.

use crate::report::print;
use anyhow::{Context, Result, bail};
use facialads_campaign::{Campaign, Catalogue, Loaded, Severity, Taxonomy};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Say everything that is wrong with campaign files, also creatives that are missing.
    Check {
        /// Campaign files, or folders of them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// IAB Tech Lab's table of its Content Taxonomy (tab-separated): also find subjects that are not in it.
        #[arg(long, value_name = "FILE")]
        taxonomy: Option<PathBuf>,
    },
}

pub fn run(command: Command) -> Result<()> {
    match command.action {
        Action::Check { paths, taxonomy: None } => check(&Catalogue::inspect(&paths)),
        Action::Check { paths, taxonomy: Some(file) } => {
            let taxonomy = Taxonomy::read(&file)
                .with_context(|| format!("cannot read the taxonomy {}", file.display()))?;
            check(&Catalogue::inspect_with(&paths, &taxonomy))
        }
    }
}

fn check(loaded: &Loaded) -> Result<()> {
    let mut text = String::new();
    for diagnostic in &loaded.diagnostics {
        text.push_str(&diagnostic.long());
        text.push_str("\n\n");
    }
    let errors = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    if errors == 0 {
        for campaign in loaded.catalogue.campaigns() {
            text.push_str(&line(campaign));
            text.push('\n');
        }
        let campaigns = plural(loaded.catalogue.campaigns().len(), "campaign");
        text.push_str(&format!("{campaigns} in {}: no errors\n", plural(loaded.files.len(), "file")));
    }
    print(&text)?;
    if errors > 0 {
        bail!("{} in {}", plural(errors, "error"), plural(loaded.files.len(), "file"));
    }
    Ok(())
}

fn line(campaign: &Campaign) -> String {
    let creatives = plural(campaign.creatives.len(), "creative");
    let kind = match (campaign.house, campaign.target.wants_people(), campaign.target.subjects.is_empty()) {
        (true, ..) => "house",
        (_, true, true) => "targets people",
        (_, true, false) => "targets people and subjects",
        (_, false, false) => "targets subjects",
        (_, false, true) => "run of schedule",
    };
    format!("{}: {creatives}, {kind}, weight {}", campaign.id, campaign.weight)
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
