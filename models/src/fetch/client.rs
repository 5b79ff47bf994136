//! The package managers' ordinary clients, as child processes.

use crate::manifest::{Client, Package};
use std::{
    ffi::OsString,
    io::{ErrorKind, IsTerminal as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// How long an address may take to answer, and then to go on sending, in seconds. The first is what a machine without a
/// network pays, once.
const CONNECT_SECONDS: &str = "4";
const STALL_SECONDS: &str = "10";

/// The programs that fetch: names to be found on the path, or paths.
#[derive(Clone, Debug)]
pub struct Clients {
    pub npm: PathBuf,
    pub python: PathBuf,
    pub curl: PathBuf,
}

impl Default for Clients {
    fn default() -> Self {
        Self { npm: "npm".into(), python: "python3".into(), curl: "curl".into() }
    }
}

/// Why a client did not bring the file.
#[derive(Debug)]
pub enum Failure {
    /// The program is not there.
    NotInstalled,
    /// What it said last.
    Failed(String),
}

impl Clients {
    /// Fetches a package into `folder`; the client names the file.
    pub fn package(&self, package: &Package, folder: &Path) -> Result<(), Failure> {
        match package.client {
            Client::Npm => {
                // Without a network npm would try for more than a minute.
                let spec = format!("{}@{}", package.package, package.version);
                let quick = ["--fetch-retries=1", "--fetch-retry-mintimeout=2000", "--loglevel=warn"];
                run(&self.npm, ["pack", &spec].iter().chain(&quick), folder)
            }
            Client::Pip => {
                let spec = format!("{}=={}", package.package, package.version);
                let mut arguments = vec!["-m", "pip", "download", "--no-deps", "--only-binary=:all:"];
                arguments.extend([
                    "--no-input",
                    "--disable-pip-version-check",
                    "--retries",
                    "1",
                    "--dest",
                    ".",
                ]);
                if let Some(tags) = &package.tags {
                    arguments.extend([
                        "--python-version",
                        &tags.python,
                        "--implementation",
                        &tags.implementation,
                    ]);
                    arguments.extend(["--abi", &tags.abi, "--platform", &tags.platform]);
                }
                arguments.push(&spec);
                run(&self.python, &arguments, folder)
            }
        }
    }

    /// Fetches an address into `folder` under `file`.
    pub fn address(&self, address: &str, file: &str, folder: &Path) -> Result<(), Failure> {
        let bar = if is_watched() { "--progress-bar" } else { "--silent" };
        let arguments = [
            "--fail",
            "--location",
            "--show-error",
            "--proto",
            "=https",
            bar,
            "--connect-timeout",
            CONNECT_SECONDS,
            "--speed-limit",
            "1",
            "--speed-time",
            STALL_SECONDS,
            "--output",
            file,
            address,
        ];
        run(&self.curl, arguments, folder)
    }
}

/// What to run where a client is missing.
pub fn remedy(client: Client) -> &'static str {
    match client {
        Client::Npm => "apt install npm",
        Client::Pip => "apt install python3-pip",
    }
}

fn is_watched() -> bool {
    std::io::stderr().is_terminal() && std::io::stdout().is_terminal()
}

/// Runs a client to its end. Somebody who watches sees its progress bars; otherwise its last words come back if it fails.
fn run(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<str>>,
    folder: &Path,
) -> Result<(), Failure> {
    let mut command = Command::new(program);
    command.args(arguments.into_iter().map(|argument| OsString::from(argument.as_ref())));
    command.current_dir(folder).stdin(Stdio::null());
    let result = if is_watched() {
        command.status().map(|status| (status, String::new()))
    } else {
        command.output().map(|output| (output.status, last_words(&output.stderr)))
    };
    match result {
        Ok((status, _)) if status.success() => Ok(()),
        Ok((_, words)) if words.contains("No module named pip") => Err(Failure::NotInstalled),
        Ok((status, words)) if words.is_empty() => {
            Err(Failure::Failed(format!("the client ended with {status}")))
        }
        Ok((_, words)) => Err(Failure::Failed(words)),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::NotInstalled),
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}

/// The last lines of a client's complaint that say something: not how often it tried.
fn last_words(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let says = |line: &&str| !line.is_empty() && !line.starts_with("WARNING: Retrying");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(says).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}
