//! The demonstration, as a stranger runs it, looked at frame by frame with a decoder that is not ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Small grey pictures are enough to tell frames apart, each has its number or its time burnt in.
const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const RATE: usize = 25;
/// First frame and creative of each break, 5 s long.
const BREAKS: [(usize, &str); 4] =
    [(10 * RATE, "aurora"), (24 * RATE, "northwind"), (38 * RATE, "volta"), (54 * RATE, "greenpaw")];
const BREAK_FRAMES: usize = 5 * RATE;

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn frames(file: &Path) -> Vec<Vec<u8>> {
    let raw = output(Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-i"]).arg(file).args([
        "-vf",
        &format!("scale={WIDTH}:{HEIGHT}"),
        "-pix_fmt",
        "gray",
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
        "-",
    ]));
    raw.chunks_exact(WIDTH * HEIGHT).map(<[u8]>::to_vec).collect()
}

/// Mean squared difference of two pictures.
fn distance(a: &[u8], b: &[u8]) -> f64 {
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    sum as f64 / a.len() as f64
}

/// Presentation time and duration of every packet, in seconds.
fn packets(file: &Path, stream: &str) -> Vec<(f64, f64)> {
    let text = output(
        Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-select_streams",
                stream,
                "-show_entries",
                "packet=pts_time,duration_time",
            ])
            .args(["-of", "csv=p=0"])
            .arg(file),
    );
    let mut packets: Vec<(f64, f64)> = String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(',').map(|field| field.parse().ok());
            Some((fields.next()??, fields.next()??))
        })
        .collect();
    packets.sort_by(|a, b| a.0.total_cmp(&b.0));
    packets
}

fn assert_no_gap(file: &Path, stream: &str, tolerance: f64) {
    let packets = packets(file, stream);
    assert!(packets.len() > 100, "{} has only {} {stream} packets", file.display(), packets.len());
    for pair in packets.windows(2) {
        let gap = pair[1].0 - (pair[0].0 + pair[0].1);
        assert!(gap.abs() <= tolerance, "{stream}: a gap of {gap} s after {} s", pair[0].0);
    }
}

/// Whether `picture` is `all[index]` and not the frame before or after it.
fn assert_is_frame(what: &str, output: usize, picture: &[u8], all: &[Vec<u8>], index: usize) {
    let here = distance(picture, &all[index]);
    for other in [index.checked_sub(1), Some(index + 1)].into_iter().flatten().filter(|i| *i < all.len()) {
        let there = distance(picture, &all[other]);
        assert!(
            here < there,
            "output frame {output}: nearer to {what} frame {other} ({there}) than to {index} ({here})"
        );
    }
    assert!(here < 60.0, "output frame {output} does not look like {what} frame {index} ({here})");
}

fn assert_splices(result: &Path, media: &Path, breaks: &[(usize, &str)]) {
    let shown = frames(result);
    let programme = frames(&media.join("programme.mp4"));
    assert_eq!(programme.len(), 64 * RATE);
    assert_eq!(shown.len(), programme.len(), "replacing changes no length");
    let mut creatives = std::collections::HashMap::new();
    for (_, creative) in breaks {
        creatives.entry(*creative).or_insert_with(|| frames(&media.join(format!("{creative}.mp4"))));
    }
    for (n, picture) in shown.iter().enumerate() {
        match breaks.iter().find(|(start, _)| (*start..start + BREAK_FRAMES).contains(&n)) {
            Some((start, creative)) => assert_is_frame(creative, n, picture, &creatives[creative], n - start),
            None => assert_is_frame("programme", n, picture, &programme, n),
        }
    }
}

#[test]
fn the_demonstration_splices_to_the_frame_and_says_why() {
    let root = facialads_testkit::root();
    if facialads_testkit::media("bikes.mp4").is_none() || facialads_testkit::model("age-gender").is_none() {
        return;
    }
    let out: PathBuf = root.join("target/demo-test");
    let text = output(
        Command::new(root.join("demo/run.sh"))
            .env("OUT", &out)
            .env("BUILD", "debug")
            .env("FACIALADS_MODELS", facialads_testkit::models_dir()),
    );
    let text = String::from_utf8_lossy(&text);
    println!("{text}");

    let media = out.join("media");
    for result in ["demo.mp4", "no-consent.mp4"] {
        assert_no_gap(&out.join(result), "v:0", 1e-4);
        // AAC packets are stamped in 1/48000 s.
        assert_no_gap(&out.join(result), "a:0", 1.0 / 48_000.0 + 1e-5);
    }
    assert_splices(&out.join("demo.mp4"), &media, &BREAKS);
    let by_subject = [(BREAKS[0].0, "greenpaw"), (BREAKS[1].0, "volta"), BREAKS[2], BREAKS[3]];
    assert_splices(&out.join("no-consent.mp4"), &media, &by_subject);

    let (with, without) = text.split_once("The viewer withdraws").expect("both runs are shown");
    for words in ["by profile", "by subject", "possible minor"] {
        assert!(with.contains(words), "the table with consent says nothing of \"{words}\"");
    }
    assert!(!without.contains("by profile"), "without consent nobody's profile is used");
    assert!(without.contains("inference calls on people: 0"), "without consent nobody is looked at");
    for file in ["report.html", "contact-sheet.png", "audience.mp4"] {
        let size = std::fs::metadata(out.join(file)).map(|data| data.len()).unwrap_or_default();
        assert!(size > 1000, "{file} is missing or empty");
    }
}
