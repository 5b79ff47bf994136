//! `facialads report`: what was shown, out of the ledger.

use anyhow::{Context, Result};
use facialads_campaign::Catalogue;
use facialads_ledger::{
    Filter, Records,
    report::{DEFAULT_K, Options, Report},
};
use jiff::{Timestamp, civil, tz::TimeZone};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What was shown, why, and how many people saw it.
#[derive(clap::Args)]
pub struct Command {
    /// The ledger to read.
    #[arg(long)]
    ledger: PathBuf,
    /// Write a page that can be opened in any browser and needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the breaks for a spreadsheet; campaigns and audience go into FILE-campaigns and FILE-audience beside it.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write everything as JSON; `-` is the terminal.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print one line per break. The default where no file is asked for.
    #[arg(long)]
    table: bool,
    /// Withhold counts of fewer people than this, and others with them so that they cannot be computed back.
    #[arg(long, default_value_t = DEFAULT_K, value_parser = clap::value_parser!(u64).range(1..))]
    k: u64,
    /// Only this screen.
    #[arg(long)]
    screen: Option<String>,
    /// Only from here on: a date, a date and time, or a length of time back from now ("7d", "12h").
    #[arg(long, value_parser = since)]
    since: Option<Timestamp>,
    /// Campaign files or folders: where people were counted, say also whom the chosen campaign asks for, which the ledger
    /// does not hold.
    #[arg(long, value_name = "PATH")]
    campaigns: Vec<PathBuf>,
}

pub fn run(command: Command) -> Result<()> {
    let filter = Filter { screen: command.screen.clone(), since: command.since };
    let records = Records::read(&command.ledger, &filter).map_err(|error| {
        let hint = if command.ledger.exists() { error.hint() } else { "there is no such file" };
        anyhow::anyhow!("cannot read the ledger {}: {error} ({hint})", command.ledger.display())
    })?;
    let report = Report::new(
        &records,
        &Options {
            k: command.k,
            screen: command.screen,
            since: command.since,
            wants: wants(&command.campaigns)?,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        },
    );
    if let Some(file) = &command.html {
        write(file, &report.html())?;
    }
    if let Some(file) = &command.csv {
        for (name, text) in report.csv() {
            write(&beside(file, name), &text)?;
        }
    }
    if let Some(file) = &command.json {
        let json = report.json()?;
        if file == Path::new("-") { print(&format!("{json}\n"))? } else { write(file, &json)? }
    }
    if command.table || (command.html.is_none() && command.csv.is_none() && command.json.is_none()) {
        print(&report.table())?;
    }
    Ok(())
}

/// What each campaign that targets people asks of them, by its id.
fn wants(campaigns: &[PathBuf]) -> Result<BTreeMap<String, String>> {
    if campaigns.is_empty() {
        return Ok(BTreeMap::new());
    }
    let catalogue =
        Catalogue::load(campaigns).context("cannot read the campaigns (`facialads ads check` says more)")?;
    let wants = catalogue.campaigns().iter().filter(|campaign| campaign.target.wants_people());
    Ok(wants.map(|campaign| (campaign.id.clone(), campaign.target.people_wanted())).collect())
}

/// `report.csv` for the breaks, `report-campaigns.csv` and `report-audience.csv` for the others.
fn beside(file: &Path, name: &str) -> PathBuf {
    if name == "breaks" {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    file.with_file_name(format!("{stem}-{name}{extension}"))
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// A reader that goes away, as `head` does, is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}

fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(at) = text.parse::<civil::DateTime>() {
        return at.to_zoned(TimeZone::system()).map(|at| at.timestamp()).map_err(|error| error.to_string());
    }
    let back: Option<jiff::Span> = text.parse().ok();
    back.and_then(|back| jiff::Zoned::now().checked_sub(back.abs()).ok())
        .map(|at| at.timestamp())
        .ok_or_else(|| "write 2026-11-23, 2026-11-23T20:00, 7d or 12h".to_owned())
}
