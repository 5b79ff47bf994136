//! Time per run of every installed network on each runtime, on this machine:
//! `cargo run --release -p facialads-vision --example runtimes [-- DEVICE…]`. Printed, never asserted. `openvino:cpu/fast` is
//! OpenVINO in the precision of its choice.
//!
//! The devices are measured in turns, so that other load on the machine falls on all of them alike.

use facialads_vision::{
    Device,
    runtime::{LoadOptions, PatternRun},
    spec::models_dir,
};
use std::{error::Error, time::Instant};

/// Network, side of its picture, pictures at once.
const RUNS: [(&str, usize, &[usize]); 9] = [
    ("yunet", 640, &[1]),
    ("yunet", 320, &[1]),
    ("ssd-mobilenet-v1", 512, &[1]),
    ("tiny-face", 416, &[1]),
    ("age-gender", 112, &[1, 8]),
    ("faceres", 224, &[1]),
    ("expression", 112, &[1, 8]),
    ("landmarks-68-tiny", 112, &[1, 5]),
    ("efficientnet-lite0", 224, &[1]),
];
const ROUNDS: usize = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let mut devices: Vec<String> = std::env::args().skip(1).collect();
    if devices.is_empty() {
        devices = ["cpu", "openvino:cpu", "openvino:cpu/fast"].map(str::to_owned).to_vec();
    }
    println!("milliseconds: median (least) of a run, processor time of a run, loading");
    for (model, side, batches) in RUNS {
        let file = models_dir().join(format!("{model}.onnx"));
        if !file.is_file() {
            println!("{model} is not installed");
            continue;
        }
        for pictures in batches {
            let mut runs = Vec::new();
            for device in &devices {
                let (name, precision) = device.split_once('/').unwrap_or((device, "f32"));
                let options = LoadOptions {
                    device: name.parse::<Device>()?,
                    precision: precision.parse()?,
                    ..LoadOptions::default()
                };
                let begun = Instant::now();
                let mut run = PatternRun::load(&options, &file, side, *pictures)?;
                run.run()?;
                runs.push((run, begun.elapsed().as_secs_f64() * 1e3, Vec::new(), 0.0));
            }
            for _ in 0..ROUNDS {
                for (run, _, times, processor) in &mut runs {
                    let (begun, used) = (Instant::now(), processor_time());
                    run.run()?;
                    times.push(begun.elapsed().as_secs_f64() * 1e3);
                    *processor += processor_time() - used;
                }
            }
            print!("{:<26}", format!("{model} {side} x{pictures}"));
            for ((_, load, times, processor), device) in runs.iter_mut().zip(&devices) {
                times.sort_by(f64::total_cmp);
                let (median, least, used) = (times[times.len() / 2], times[0], *processor / ROUNDS as f64);
                print!("  {device} {median:6.2} ({least:6.2}) {used:6.2} {load:4.0}");
            }
            println!();
        }
    }
    Ok(())
}

/// Milliseconds that the threads of this process have run for, which other load on the machine disturbs less; 0 where the
/// kernel does not tell.
fn processor_time() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 / 1e6
}
