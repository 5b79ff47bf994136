//! `facialads bench`: how much of the bare networks' speed the elements keep, and what the others cost.
//!
//! All on the same frames, decoded beforehand, in one process and in interleaved runs, so that whatever else the machine
//! is doing meets every row alike; figures are medians.

mod bare;
mod frames;
mod gpu;
mod job;
mod peers;
mod pipeline;
mod table;
mod whole_job;

use anyhow::{Context, Result, bail};
use facialads_consent::{Basis, Policy, Purpose, Purposes, Site, Stamp, Zone, wall_clock};
use facialads_vision::{Device, runtime::Precision};
use frames::Frames;
use std::{cell::Cell, path::PathBuf};
use table::{Report, Row};

/// Measures each element against bare inference, or against `identity`, on the same frames.
#[derive(clap::Args)]
pub struct Command {
    /// A clip with people, for face analysis
    #[arg(long, value_name = "FILE")]
    faces: PathBuf,
    /// A clip of a programme, for everything else
    #[arg(long, value_name = "FILE")]
    programme: PathBuf,
    /// Frames of each clip
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    frames: u32,
    /// Interleaved runs of which the median is told
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Where networks run: cpu, openvino, cuda, cuda:N, tensorrt, …
    #[arg(long, default_value = "auto")]
    provider: String,
    /// How exactly detector and subject calculate: f32, fast
    #[arg(long, default_value_t)]
    precision: Precision,
    /// Compare the provider's results with the CPU's instead of measuring speed
    #[arg(long)]
    check: bool,
    /// Measure a GPU: milliseconds per stage, streams side by side, bytes across the bus; on the frames of --job, or of --faces
    #[arg(long)]
    gpu: bool,
    /// With --gpu: how many streams side by side
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 4, 16, 64],
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    streams: Vec<u32>,
    /// A coded clip with about five faces in 1280x720: also measure the whole job, decoding included
    #[arg(long, value_name = "FILE")]
    job: Option<PathBuf>,
    /// Compare the whole job with the peers that scripts/peers/install.sh has put there
    #[arg(long, value_name = "DIR", requires = "job")]
    peers: Option<PathBuf>,
    /// The RFB-320 network, by name or path, for the comparison with the peers that run it
    #[arg(long, value_name = "MODEL", default_value = "rfb-320")]
    rfb320: String,
    /// Write the result there as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(command: Command) -> Result<()> {
    let provider: Device = command.provider.parse()?;
    // Before clips are decoded: a GPU that is not there.
    gpu::check::gpu_of(&provider)?;
    if command.check && provider == Device::Cpu {
        println!(
            "check: the CPU is what other providers are compared with; there is nothing to compare it with"
        );
        return Ok(());
    }
    gst::init().context("GStreamer cannot be started")?;
    facialads_meta::init();
    let on_provider_alone = command.check || command.gpu;
    if !on_provider_alone || command.job.is_some() {
        pipeline::need_plugin()?;
    }
    let faces = Frames::decode(&command.faces, command.frames)?;
    let programme = Frames::decode(&command.programme, command.frames)?;
    if on_provider_alone {
        return on_provider(&provider, &faces, &programme, &command);
    }
    let networks = bare::Networks::load(&provider, command.precision)?;
    let on = networks.faces.runs_on();
    let mut rows = measure(&faces, &programme, &networks, &command)?;
    if let Some(clip) = &command.job {
        rows.extend(whole_job::measure(clip, &command)?);
    }
    let report = Report {
        machine: table::machine(),
        runtime: on.runtime.clone(),
        precision: on.precision.clone(),
        provider: provider.to_string(),
        faces: faces.describe(&command.faces),
        programme: programme.describe(&command.programme),
        runs: command.runs,
        rows,
    };
    print!("{report}");
    write(&report, &command)
}

/// `--check` and `--gpu`.
fn on_provider(provider: &Device, faces: &Frames, programme: &Frames, command: &Command) -> Result<()> {
    let verdict = if command.check {
        let verdict = gpu::check::check(provider, command.precision, faces, programme)?;
        print!("{verdict}");
        Some(verdict)
    } else {
        None
    };
    let figures = if command.gpu {
        let clip = command.job.as_deref().unwrap_or(&command.faces);
        let figures = gpu::measure::measure(provider, clip, command)?;
        print!("{figures}");
        Some(figures)
    } else {
        None
    };
    let failed = verdict.as_ref().is_some_and(|verdict| !verdict.passed);
    write(&serde_json::json!({ "check": verdict, "gpu": figures }), command)?;
    if failed {
        bail!("{provider} does not give the CPU's results, see above");
    }
    Ok(())
}

fn write(result: &impl serde::Serialize, command: &Command) -> Result<()> {
    let Some(path) = &command.json else { return Ok(()) };
    let text = serde_json::to_string_pretty(result)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

/// A measurement: takes how long it took for all frames.
type Measure<'a> = Box<dyn Fn() -> Result<std::time::Duration> + 'a>;

fn measure(
    faces: &Frames,
    programme: &Frames,
    networks: &bare::Networks,
    command: &Command,
) -> Result<Vec<Row>> {
    let runs = command.runs;
    let bare::Networks { faces: analyzer, subject: classifier } = networks;
    let with =
        |element: &str| format!("{element} device={} precision={}", command.provider, command.precision);
    let store = pipeline::consent_store()?;
    let gate = format!("consentgate screen=bench store={}", store.path().join("consent.db").display());
    let in_networks = Cell::new(std::time::Duration::ZERO);
    let pairs: Vec<(&str, u32, Measure, &str, Measure)> = vec![
        (
            "faceanalyze",
            faces.count(),
            Box::new(|| pipeline::analyse(faces, &with(pipeline::FACES), Some(&consent()), "analysed")),
            "detection and description",
            Box::new(|| analyzer.all(faces, &consent()).map(|(took, _)| took)),
        ),
        (
            "vision::process",
            faces.count(),
            Box::new(|| {
                let (took, of_networks) = analyzer.all(faces, &consent())?;
                in_networks.set(of_networks);
                Ok(took)
            }),
            "the networks in that run",
            Box::new(|| Ok(in_networks.get())),
        ),
        (
            "faceanalyze inference-interval=3",
            faces.count(),
            Box::new(|| pipeline::time(faces, &with(pipeline::FACES_EVERY_THIRD), Some(&consent()))),
            "detection alone",
            Box::new(|| analyzer.detection(faces, &consent())),
        ),
        (
            "subjectclassify interval=0",
            programme.count(),
            Box::new(|| pipeline::analyse(programme, &with(pipeline::SUBJECT), None, "classified")),
            "classification",
            Box::new(|| classifier.all(programme)),
        ),
        (
            "subjectclassify",
            programme.count(),
            Box::new(|| pipeline::time(programme, &with("subjectclassify async=false"), None)),
            "identity",
            Box::new(|| pipeline::time(programme, "identity", None)),
        ),
        (
            "adinsert without a break",
            programme.count(),
            Box::new(|| pipeline::time(programme, pipeline::ADINSERT, None)),
            "identity",
            Box::new(|| pipeline::time(programme, "identity", None)),
        ),
        (
            "consentgate, open",
            programme.count(),
            Box::new(|| pipeline::time(programme, &gate, None)),
            "identity",
            Box::new(|| pipeline::time(programme, "identity", None)),
        ),
    ];
    let (pairs, missing): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(what, ..)| what.contains("::") || pipeline::has_element(what));
    for (what, ..) in missing {
        eprintln!("{what}: this plugin has no such element; left out");
    }
    let mut times = vec![(Vec::new(), Vec::new()); pairs.len()];
    for run in 0..runs {
        for ((what, frames, element, _, reference), times) in pairs.iter().zip(&mut times) {
            let speed = |took: std::time::Duration| f64::from(*frames) / took.as_secs_f64().max(1e-9);
            times.0.push(speed(element().with_context(|| format!("{what}, run {run}"))?));
            times.1.push(speed(reference().with_context(|| format!("reference of {what}, run {run}"))?));
        }
        eprint!("\rrun {} of {runs}", run + 1);
    }
    eprintln!();
    let rows = pairs.iter().zip(times);
    Ok(rows.map(|((what, .., reference, _), times)| Row::new(what, times.0, reference, times.1)).collect())
}

/// One adult's consent to everything but emotion, for the time of the measurement.
fn consent() -> Stamp {
    Stamp {
        purposes: Purposes::all().without(Purpose::Emotion),
        epoch: 1,
        // As many as may be in the clip: each face is to be described.
        max_faces: 100,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "bench".into(),
        expires: wall_clock().saturating_add(3_600_000_000_000),
        receipts: Vec::new(),
    }
}
