//! `facialads report`: what was shown, out of the ledger.

use anyhow::Result;

#[derive(clap::Args)]
pub struct Command {}

pub fn run(_command: Command) -> Result<()> {
    Ok(())
}
