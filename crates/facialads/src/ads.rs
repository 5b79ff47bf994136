//! `facialads ads`: campaign files.

use anyhow::Result;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Read campaign files and say everything that is wrong with them.
    Check {
        /// Campaign files, or folders of them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
}

pub fn run(_command: Command) -> Result<()> {
    Ok(())
}
