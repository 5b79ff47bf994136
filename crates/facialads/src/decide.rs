//! `facialads decide`: what would be chosen, and why.

use anyhow::Result;

#[derive(clap::Args)]
pub struct Command {}

pub fn run(_command: Command) -> Result<()> {
    Ok(())
}
