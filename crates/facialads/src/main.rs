//! The `facialads` command: everything around the elements. Each subcommand is a module of its own.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod doctor;
mod models;

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
    /// The networks: install, list, verify.
    Models(models::Command),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Doctor(command) => doctor::run(command),
        Command::Models(command) => models::run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("facialads: {error:#}");
            ExitCode::FAILURE
        }
    }
}
