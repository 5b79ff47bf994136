//! `facialads models`: install the networks, list them, check that they say what they said when they were measured.

use anyhow::{Result, bail};
use facialads_models::{AttributeCheck, FileCheck, Halved, InstallOptions, ModelStatus, State, Verification};
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
    /// Make networks in 16-bit floating-point numbers beside those in 32, for device=cuda precision=fast: detectors and the
    /// subject's.
    Half(Half),
}

#[derive(clap::Args)]
struct Half {
    #[command(flatten)]
    folder: Folder,
    /// Names of installed models
    #[arg(value_name = "MODEL", required = true)]
    models: Vec<String>,
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
    /// Only these models [default: all; those on request only where they are at hand]
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Look into this folder (and the folders in it) before fetching anything; may be given several times
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
    /// Also install the photographs and clips that `models verify`, the demonstration and the tests use, into DIR/../media
    #[arg(long)]
    media: bool,
    /// Also install the runtimes: ONNX Runtime as DIR/../lib/libonnxruntime.so, OpenVINO as DIR/../lib/openvino
    #[arg(long)]
    library: bool,
    /// Also install a library that only some need: `nvrtc`, NVIDIA's compiler of CUDA kernels, under NVIDIA's licence,
    /// into DIR/../lib/nvrtc; may be given several times
    #[arg(long, value_name = "LIBRARY")]
    with: Vec<String>,
    /// Also install what networks need to run on an NVIDIA GPU: ONNX Runtime with CUDA and TensorRT, CUDA 13's libraries, cuDNN and
    /// NVRTC, under NVIDIA's licences. 1.3 GB are fetched, 2 GB are kept in DIR/../lib. The same as --with onnxruntime-gpu --with
    /// cuda --with nvrtc
    #[arg(long)]
    gpu: bool,
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
        Action::Half(options) => half(options),
    }
}

fn install(options: Install) -> Result<()> {
    let dir = options.folder.path();
    let Install { models, from, media, library, mut with, gpu, offline, retry, quiet, .. } = options;
    if gpu {
        with.extend(["onnxruntime-gpu", "cuda", "nvrtc"].map(str::to_owned));
    }
    let options =
        InstallOptions { models, from, media, library, with, offline, retry, ..InstallOptions::new(&dir) };
    let done = facialads_models::install(&options, &mut |line| {
        if !quiet {
            eprintln!("{line}");
        }
    })?;
    for line in done.lost.iter().chain(&done.licences) {
        eprintln!("note: {line}");
    }
    if !quiet {
        let (written, unchanged) = (done.written.len(), done.unchanged);
        println!("{}: {written} installed, {unchanged} there already", dir.display());
    }
    Ok(())
}

fn half(options: Half) -> Result<()> {
    let dir = options.folder.path();
    for name in &options.models {
        let Halved { path, size, difference } = facialads_models::make_half(&dir, name)?;
        let size = facialads_models::size(size);
        println!(
            "{}: {size}, off by {:.2} % at most on a computed picture",
            path.display(),
            difference * 100.0
        );
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
        println!(
            "To install what is missing or changed: facialads models install --dir {} [--retry] [--from DIR]",
            dir.display()
        );
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
    let dir = folder.path();
    let result = facialads_models::verify(&dir)?;
    println!("{}", dir.display());
    print!("{}", table(&files(&result)));
    println!();
    print!("{}", table(&photographs(&result)));
    println!();
    if !result.agrees() {
        bail!("the models do not agree with the reference:\n  {}", result.problems.join("\n  "));
    }
    let count = |detector: &str| {
        let checks = result.detections.iter().filter(|check| check.detector == detector);
        checks.map(|check| check.found.to_string()).collect::<Vec<_>>().join(", ")
    };
    let women: usize = result.attributes.iter().map(|check| check.women).sum();
    let faces: usize = result.attributes.iter().map(|check| check.faces).sum();
    let youngest = result.attributes.iter().map(|check| check.youngest).fold(f32::MAX, f32::min);
    let oldest = result.attributes.iter().map(|check| check.oldest).fold(0.0, f32::max);
    println!(
        "All agree with the reference: faces {} (ssd-mobilenet-v1), {women} of {faces} women, ages {youngest:.0} to {oldest:.0}.",
        count("ssd-mobilenet-v1")
    );
    Ok(())
}

/// A line for each model: its file, and its numbers on a picture of nobody.
fn files(result: &Verification) -> Vec<[String; 4]> {
    let header = ["model", "sha256", "file", "numbers (largest difference)"].map(str::to_owned);
    let row = |file: &FileCheck| {
        let state = match file.found {
            None if file.optional => "not installed (optional)",
            None => "MISSING",
            Some(_) if file.agrees() => "ok",
            Some(_) => "CHANGED",
        };
        let patterns: Vec<_> = result.patterns.iter().filter(|check| check.model == file.model).collect();
        let worst = patterns.iter().map(|check| check.difference).fold(0.0, f64::max);
        let numbers = match patterns.iter().all(|check| check.agrees) {
            _ if patterns.is_empty() => "-".to_owned(),
            true => format!("ok ({worst:.0e})"),
            false => format!("DIFFER ({worst:.0e})"),
        };
        [file.model.clone(), file.expected.short(), state.to_owned(), numbers]
    };
    std::iter::once(header).chain(result.files.iter().map(row)).collect()
}

/// A line for each photograph and network.
fn photographs(result: &Verification) -> Vec<[String; 4]> {
    let header = ["photograph", "model", "found", "agrees"].map(str::to_owned);
    let answer = |agrees: bool| if agrees { "yes" } else { "NO" }.to_owned();
    let detections = result.detections.iter().map(|check| {
        let found = format!("{} faces, {} of the {} expected", check.found, check.matched, check.expected);
        [check.photograph.clone(), check.detector.clone(), found, answer(check.agrees)]
    });
    let attributes = result.attributes.iter().map(|check| {
        let AttributeCheck { women, faces, youngest, oldest, difference, .. } = check;
        let found = format!(
            "{women} of {faces} women, {youngest:.0} to {oldest:.0} years, off by {difference:.2} at most"
        );
        [check.photograph.clone(), "age-gender".to_owned(), found, answer(check.agrees)]
    });
    std::iter::once(header).chain(detections).chain(attributes).collect()
}
