//! The `facialads` command: everything around the elements. Each subcommand is a module of its own.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod doctor;

#[derive(Parser)]
#[command(name = "facialads", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What this machine has and lacks, and the command that mends each line.
    Doctor(doctor::Command),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Doctor(command) => doctor::run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("facialads: {error:#}");
            ExitCode::FAILURE
        }
    }
}
