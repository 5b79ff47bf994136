//! A result as it is written: what was measured, with what, on what, when. docs/evaluation.md describes the fields.

use super::{detection::DetectionReport, faces::FacesReport, video::VideoReport};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Grows when a field changes its meaning or goes away; new fields do not change it.
pub const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
pub struct EvalResult {
    pub schema: u32,
    /// "facialads 0.1.0".
    pub tool: String,
    /// Day of the run, UTC.
    pub date: String,
    pub data: Data,
    pub system: System,
    pub report: Report,
}

/// What it was measured on.
#[derive(Serialize, Deserialize)]
pub struct Data {
    /// Name of the file or folder, without where it lies.
    pub name: String,
    /// "even", "odd" or "all".
    pub only: String,
    pub limit: Option<usize>,
    pub seed: u64,
}

/// What it was measured with: names of models as they were asked for.
#[derive(Serialize, Deserialize)]
pub struct System {
    pub detector: String,
    pub age_gender: String,
    pub expression: Option<String>,
    pub device: String,
    pub runtime: String,
    /// "f32", "fast"; results without it were calculated in 32 bits.
    #[serde(default = "exact")]
    pub precision: String,
    pub threshold: Option<f32>,
    pub detector_size: Option<u32>,
}

fn exact() -> String {
    facialads_vision::runtime::Precision::F32.to_string()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    Faces(Box<FacesReport>),
    Detection(Box<DetectionReport>),
    Video(Box<VideoReport>),
}

impl EvalResult {
    pub fn new(data: Data, system: System, report: Report) -> Self {
        Self {
            schema: SCHEMA,
            tool: concat!("facialads ", env!("CARGO_PKG_VERSION")).to_owned(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            data,
            system,
            report,
        }
    }

    /// # Errors
    /// The file cannot be read, or is no result of this schema.
    pub fn read(file: &Path) -> Result<Self> {
        let named = || format!("{}", file.display());
        let text = std::fs::read_to_string(file).with_context(named)?;
        let value: serde_json::Value = serde_json::from_str(&text).with_context(named)?;
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if schema == u64::from(SCHEMA) => {}
            Some(schema) => bail!(
                "{} has schema {schema}, and this program reads {SCHEMA}: evaluate again with this program",
                file.display()
            ),
            None => bail!("{} is no result of `facialads eval … --json`", file.display()),
        }
        serde_json::from_value(value).with_context(named)
    }

    /// Writes JSON into a file, or for `-` to the terminal.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        if file == Path::new("-") {
            return crate::report::print(&text);
        }
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Name of a file or folder, for a result: not where it lies on somebody's disk.
pub fn name_of(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
