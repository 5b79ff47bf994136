//! Decoding, finding, following and describing on a coded clip, and what others make of it.

use super::{
    Command, consent,
    job::{self, Outcome},
    peers::Peers,
    table::Row,
};
use anyhow::{Context, Result};
use facialads_consent::{Purpose, Purposes, Stamp};
use std::path::Path;

/// As it is set where nothing is said.
const DEFAULTS: &str = "emotion=true";
/// Every frame is searched and everybody on it described anew, as `human` does here.
const EVERY_FRAME: &str = "emotion=true inference-interval=1 reclassify-interval=1";
/// Frames for those who describe everybody on every frame, which is slow, and for `human`, which is slower.
const EVERY_FRAMES: u32 = 100;
const HUMAN_FRAMES: u32 = 20;
/// The whole clip.
const ALL: u32 = i32::MAX as u32;

/// One that takes part.
struct Contestant<'a> {
    run: Box<dyn Fn() -> Result<Outcome> + 'a>,
    fps: Vec<f64>,
    faces: f64,
}

impl<'a> Contestant<'a> {
    fn new(run: impl Fn() -> Result<Outcome> + 'a) -> Self {
        Self { run: Box::new(run), fps: Vec::new(), faces: 0.0 }
    }
}

/// Runs everybody in turn, `command.runs` times, and pairs ours with the others.
pub fn measure(clip: &Path, command: &Command) -> Result<Vec<Row>> {
    let everything = Stamp { purposes: Purposes::all(), ..consent() };
    let counting = Stamp { purposes: [Purpose::Measurement].into_iter().collect(), ..consent() };
    let ours = |frames: u32, properties: &str, stamp: &Stamp| job::run(clip, frames, properties, stamp);
    let peers = command.peers.as_deref().map(Peers::installed).transpose()?;
    let model = peers.as_ref().map(|_| facialads_vision::find(&command.rfb320)).transpose()?;
    // OpenVINO's own precision, as in Python, where nobody asks for another.
    let rfb320 = format!(
        "model={} inference-interval=1 precision=fast",
        model.as_deref().unwrap_or(Path::new("")).display()
    );
    let mut contestants = vec![("faceanalyze", Contestant::new(|| ours(ALL, DEFAULTS, &everything)))];
    if let (Some(peers), Some(model)) = (&peers, &model) {
        let human = || peers.human(clip, HUMAN_FRAMES);
        contestants.push(("every frame", Contestant::new(|| ours(EVERY_FRAMES, EVERY_FRAME, &everything))));
        contestants.push(("human", Contestant::new(human)));
        contestants.push(("RFB-320", Contestant::new(|| ours(ALL, &rfb320, &counting))));
        for runtime in ["openvino", "opencv"] {
            contestants.push((runtime, Contestant::new(move || peers.rfb320(runtime, model, clip))));
        }
    }
    for run in 0..command.runs {
        for (name, contestant) in &mut contestants {
            let outcome = (contestant.run)().with_context(|| format!("{name}, run {run}"))?;
            contestant.fps.push(outcome.fps);
            contestant.faces = outcome.faces;
        }
        eprint!("\rwhole job, run {} of {}", run + 1, command.runs);
    }
    eprintln!();
    for (name, contestant) in &contestants {
        eprintln!("{name}: {:.2} faces a frame", contestant.faces);
    }
    let fps = |wanted: &str| {
        let found = contestants.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, contestant)| contestant.fps.clone()).unwrap_or_default()
    };
    let pairs = [
        ("whole job", "faceanalyze", "human (WebAssembly), every frame", "human"),
        ("whole job, every frame", "every frame", "human (WebAssembly), every frame", "human"),
        ("RFB-320, every frame", "RFB-320", "OpenVINO from Python", "openvino"),
        ("RFB-320, every frame", "RFB-320", "OpenCV DNN from Python", "opencv"),
    ];
    let pairs = pairs.into_iter().filter(|(_, ours, ..)| !fps(ours).is_empty());
    Ok(pairs
        .map(|(what, ours, reference, theirs)| Row::new(what, fps(ours), reference, fps(theirs)))
        .collect())
}
