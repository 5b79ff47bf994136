//! Others at the same job, each in a process of its own; see scripts/peers.

use super::job::Outcome;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Pictures that `human` gets.
const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// Where `scripts/peers/install.sh` has put them.
pub struct Peers {
    folder: PathBuf,
    scripts: PathBuf,
}

/// What each of them prints.
#[derive(Deserialize)]
struct Printed {
    fps: f64,
    faces: f64,
}

impl Peers {
    /// # Errors
    /// They are not installed there.
    pub fn installed(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("no folder {}", folder.display()))?;
        let peers = Self { scripts: PathBuf::from("scripts/peers"), folder };
        for needed in [&peers.python(), &peers.folder.join("node_modules/@vladmandic/human"), &peers.scripts]
        {
            if !needed.exists() {
                bail!(
                    "{} is missing; run scripts/peers/install.sh in the project's folder",
                    needed.display()
                );
            }
        }
        Ok(peers)
    }

    fn python(&self) -> PathBuf {
        self.folder.join("python/bin/python")
    }

    /// @vladmandic/human on WebAssembly: faces, age, gender and emotion of every frame. It gets frames that ffmpeg has
    /// decoded and scaled in a process beside it.
    pub fn human(&self, clip: &Path, frames: u32) -> Result<Outcome> {
        let mut decoder = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "quiet", "-i"])
            .arg(clip)
            .args(["-vf", &format!("scale={WIDTH}:{HEIGHT}"), "-frames:v", &(frames + 1).to_string()])
            .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
            .stdout(Stdio::piped())
            .spawn()
            .context("ffmpeg cannot be started")?;
        let pictures = decoder.stdout.take().context("ffmpeg has no output")?;
        let result = outcome(
            Command::new("node")
                .arg(self.scripts.join("human.cjs"))
                .arg(self.folder.join("node_modules"))
                .args([WIDTH, HEIGHT, frames].map(|n| n.to_string()))
                .stdin(pictures),
        );
        let _ = decoder.kill();
        decoder.wait()?;
        result
    }

    /// RFB-320 from Python, on `runtime`: "openvino" or "opencv". Every frame, decoding included.
    pub fn rfb320(&self, runtime: &str, model: &Path, clip: &Path) -> Result<Outcome> {
        outcome(
            Command::new(self.python()).arg(self.scripts.join("rfb320.py")).arg(runtime).args([model, clip]),
        )
    }
}

fn outcome(command: &mut Command) -> Result<Outcome> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{command:?} cannot be started"))?;
    if !output.status.success() {
        bail!("{command:?} failed ({})", output.status);
    }
    let line = String::from_utf8_lossy(&output.stdout);
    let last = line.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
    let Printed { fps, faces } =
        serde_json::from_str(last).with_context(|| format!("{command:?} printed no result"))?;
    Ok(Outcome { fps, faces, pixels_across: 0.0 })
}
