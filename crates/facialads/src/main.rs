//! The `facialads` command: everything around the elements. Each subcommand is a module of its own.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod ads;
mod bench;
mod consent;
mod decide;
mod doctor;
mod eval;
mod models;
mod report;

#[derive(Parser)]
#[command(name = "facialads", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install, list and verify the networks.
    Models(models::Command),
    /// Check campaign files.
    Ads(ads::Command),
    /// Give, withdraw and list viewers' consent.
    Consent(consent::Command),
    /// Which advertisement would run for an audience and a subject, and why.
    Decide(decide::Command),
    /// What ran, from the ledger: as a page, a table or data.
    Report(report::Command),
    /// Speed of each element against bare inference on the same frames.
    Bench(bench::Command),
    /// Quality: faces found, described and followed, against labels; model cards.
    Eval(eval::Command),
    /// What this machine has and lacks, and the command that mends each line.
    Doctor(doctor::Command),
}

fn main() -> ExitCode {
    // A reader that goes away, as `head` does, ends the program quietly, like any other command's.
    // SAFETY: nothing else runs yet, and the default action replaces no handler of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let result = match Cli::parse().command {
        Command::Models(command) => models::run(command),
        Command::Ads(command) => ads::run(command),
        Command::Consent(command) => consent::run(command),
        Command::Decide(command) => decide::run(command),
        Command::Report(command) => report::run(command),
        Command::Bench(command) => bench::run(command),
        Command::Eval(command) => eval::run(command),
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
