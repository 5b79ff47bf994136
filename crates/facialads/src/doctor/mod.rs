//! `facialads doctor`: what this machine has and lacks, and the command that mends each line.

mod accelerators;
mod gstreamer;
mod inference;
mod machine;

use anyhow::bail;
use serde::Serialize;

#[derive(clap::Args)]
pub struct Command {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As it should be.
    Ok,
    /// Works without, but less well or not everything.
    Note,
    /// Something does not work until this is mended.
    Missing,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    state: State,
    detail: String,
    /// The command that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Ok, detail: detail.into(), mend: None }
    }
    fn note(what: impl Into<String>, detail: impl Into<String>, mend: Option<&str>) -> Self {
        Self { what: what.into(), state: State::Note, detail: detail.into(), mend: mend.map(str::to_owned) }
    }
    fn missing(what: impl Into<String>, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Missing, detail: detail.into(), mend: Some(mend.into()) }
    }
}

pub fn run(command: Command) -> anyhow::Result<()> {
    let mut findings = gstreamer::findings();
    findings.extend(inference::findings());
    findings.extend(accelerators::findings());
    findings.extend(machine::findings());

    if command.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        print_table(&findings);
    }
    match findings.iter().filter(|finding| finding.state == State::Missing).count() {
        0 => Ok(()),
        missing => bail!("{missing} of {} checks failed", findings.len()),
    }
}

fn print_table(findings: &[Finding]) {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or_default();
    for Finding { what, state, detail, mend } in findings {
        let mark = match state {
            State::Ok => "ok     ",
            State::Note => "note   ",
            State::Missing => "MISSING",
        };
        println!("{mark}  {what:<width$}  {detail}");
        if let Some(mend) = mend {
            println!("         {:<width$}  -> {mend}", "");
        }
    }
}
