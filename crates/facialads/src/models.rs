//! `facialads models`: install the networks, list them, check that they say what they said when they were measured.

use anyhow::{Result, bail};
use facialads_models::{InstallOptions, ModelStatus, State};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Fetch the models, convert them to ONNX and write them with their descriptions and licences.
    Install(Install),
    /// What is installed, and under which licence.
    List(Folder),
    /// Check every file, then run the models on published photographs and compare with the recorded results.
    Verify(Folder),
}

#[derive(clap::Args)]
struct Folder {
    /// The models' folder [default: $FACIALADS_MODELS, else ~/.local/share/facialads/models]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Install {
    #[command(flatten)]
    folder: Folder,
    /// Only these models [default: all]
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Look into this folder (and the folders in it) before fetching anything; may be given several times
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
    /// Also install the photographs and clips that `models verify`, the demonstration and the tests use, into DIR/../media
    #[arg(long)]
    media: bool,
    /// Also install ONNX Runtime's library, as DIR/../lib/libonnxruntime.so
    #[arg(long)]
    library: bool,
    /// Fetch nothing: use what --from and earlier downloads have
    #[arg(long)]
    offline: bool,
    /// Ask addresses again that could not be reached before
    #[arg(long)]
    retry: bool,
    /// Say only what cannot be had
    #[arg(long, short)]
    quiet: bool,
}

impl Folder {
    fn path(self) -> PathBuf {
        self.dir.unwrap_or_else(facialads_vision::models_dir)
    }
}

pub fn run(command: Command) -> Result<()> {
    match command.action {
        Action::Install(options) => install(options),
        Action::List(folder) => list(folder),
        Action::Verify(folder) => verify(folder),
    }
}

fn install(options: Install) -> Result<()> {
    let dir = options.folder.path();
    let Install { models, from, media, library, offline, retry, quiet, .. } = options;
    let options =
        InstallOptions { models, from, media, library, offline, retry, ..InstallOptions::new(&dir) };
    let done = facialads_models::install(&options, &mut |line| {
        if !quiet {
            eprintln!("{line}");
        }
    })?;
    for line in &done.lost {
        eprintln!("note: {line}");
    }
    if !quiet {
        let (written, unchanged) = (done.written.len(), done.unchanged);
        println!("{}: {written} installed, {unchanged} there already", dir.display());
    }
    Ok(())
}

fn list(folder: Folder) -> Result<()> {
    let dir = folder.path();
    let models = facialads_models::status(&dir)?;
    let header = ["name", "role", "state", "size", "sha256", "licence", "from"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(header).chain(models.iter().map(row)).collect();
    println!("{}", dir.display());
    print!("{}", table(&rows));
    for model in &models {
        if let State::Undescribed(problem) = &model.state {
            println!("{}: {problem}", model.name);
        }
    }
    if models.iter().any(|model| matches!(model.state, State::Missing | State::Changed)) {
        println!("To install what is missing or changed: facialads models install");
    }
    Ok(())
}

fn row(model: &ModelStatus) -> [String; 7] {
    let size = model.size.map_or_else(|| "-".to_owned(), facialads_models::size);
    let digest = model.sha256.map_or_else(|| "-".to_owned(), |digest| digest.short());
    let from = model.source.strip_prefix("https://").unwrap_or(&model.source);
    let from: String = from.chars().take(60).collect();
    let (name, role) = (model.name.clone(), model.role.clone());
    [name, role, model.state.to_string(), size, digest, model.licence.clone(), from]
}

/// Columns as wide as they must be.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &w)| format!("{cell:<w$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn verify(folder: Folder) -> Result<()> {
    let _ = folder;
    bail!("the models cannot be run yet")
}
