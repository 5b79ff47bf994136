//! The recipes of `pipelines/`, run as they are with test sources in place of devices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_testkit::root;

use std::{
    path::Path,
    process::{Command, Output},
};

fn gst(script: &str) -> Command {
    let mut command = Command::new("timeout");
    command
        .arg("120")
        .arg(root().join("pipelines").join(script))
        .env("GST_PLUGIN_PATH", root().join("target/debug"))
        .env("FACIALADS_MODELS", facialads_testkit::models_dir());
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        command.env("ORT_DYLIB_PATH", root().join(".cache/lib/libonnxruntime.so"));
    }
    command
}

fn assert_ran(output: &Output) {
    let text =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "exit {:?}:\n{text}", output.status.code());
    assert!(!text.contains("ERROR"), "{text}");
}

/// A clip of colour bars with a tone, or a creative of one colour: `seconds` long, 25 fps, 48 kHz.
fn clip(path: &Path, pattern: &str, seconds: u32) {
    let status = Command::new("gst-launch-1.0")
        .arg("-q")
        .args(["mp4mux", "name=mux", "!", "filesink"])
        .arg(format!("location={}", path.display()))
        .args(["videotestsrc", &format!("num-buffers={}", 25 * seconds), &format!("pattern={pattern}")])
        .args([
            "!",
            "video/x-raw,width=320,height=240,framerate=25/1",
            "!",
            "x264enc",
            "!",
            "queue",
            "!",
            "mux.",
        ])
        .args(["audiotestsrc", &format!("num-buffers={}", 50 * seconds), "samplesperbuffer=960"])
        .args(["!", "audio/x-raw,rate=48000,channels=2", "!", "avenc_aac", "!", "queue", "!", "mux."])
        .status()
        .expect("gst-launch-1.0 runs");
    assert!(status.success());
}

/// The mean colour of one frame of a file, as 8-bit RGB.
fn colour(file: &Path, frame: u32) -> [u8; 3] {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args(["-vf", &format!("select=eq(n\\,{frame}),scale=1:1:flags=area"), "-frames:v", "1"])
        .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg runs");
    output
        .stdout
        .try_into()
        .unwrap_or_else(|rest: Vec<u8>| panic!("frame {frame} of {}: {} bytes", file.display(), rest.len()))
}

fn count_frames(file: &Path) -> u32 {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-count_packets",
            "-select_streams",
            "v:0",
            "-show_entries",
            "stream=nb_read_packets",
        ])
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe runs");
    String::from_utf8_lossy(&output.stdout).trim().trim_end_matches(',').parse().expect("a number of frames")
}

fn is_blue([red, green, blue]: [u8; 3]) -> bool {
    blue > 200 && red < 60 && green < 60
}

#[test]
fn file_to_file_inserts_each_advertisement_between_two_frames_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let (programme, ad, out) =
        (folder.path().join("p.mp4"), folder.path().join("blue.mp4"), folder.path().join("o.mp4"));
    clip(&programme, "white", 6);
    clip(&ad, "blue", 2);
    let output = gst("file-to-file.sh")
        .env("PROGRAMME", &programme)
        .env("ADS", &ad)
        .env("BREAKS", "3")
        .env("OUT", &out)
        .output()
        .unwrap();
    assert_ran(&output);
    assert_eq!(count_frames(&out), 150 + 50);
    let shown: Vec<bool> =
        [0, 74, 75, 124, 125, 199].into_iter().map(|frame| is_blue(colour(&out, frame))).collect();
    assert_eq!(shown, [false, false, true, true, false, false]);
}

#[test]
fn file_to_file_needs_no_sound_and_an_advertisement_that_is_not_there_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (programme, silent) = (folder.path().join("p.mp4"), folder.path().join("silent.mp4"));
    let (ad, out) = (folder.path().join("blue.mp4"), folder.path().join("o.mp4"));
    clip(&programme, "white", 4);
    clip(&ad, "blue", 1);
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(&programme)
        .args(["-an", "-c", "copy"])
        .arg(&silent)
        .status()
        .unwrap();
    assert!(status.success());
    let run = |ads: &Path| {
        let output = gst("file-to-file.sh")
            .env("PROGRAMME", &silent)
            .env("ADS", ads)
            .env("BREAKS", "2")
            .env("OUT", &out)
            .output()
            .unwrap();
        assert_ran(&output);
        (count_frames(&out), String::from_utf8_lossy(&output.stdout).contains("WARNING"))
    };
    assert_eq!(run(&ad), (125, false));
    assert_eq!(
        run(&folder.path().join("nowhere.mp4")),
        (100, true),
        "the programme whole, and a word about it"
    );
}

const CAMPAIGNS: &str = r#"
[[campaign]]
id = "blue"
advertiser = "Blue"
name = "Blue"
[[campaign.creative]]
id = "blue-2s"
path = "blue.mp4"
"#;

#[test]
fn contextual_chooses_without_a_camera() {
    if facialads_testkit::model("efficientnet-lite0").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (programme, out) = (folder.path().join("p.mp4"), folder.path().join("o.mp4"));
    clip(&programme, "white", 6);
    clip(&folder.path().join("blue.mp4"), "blue", 2);
    std::fs::write(folder.path().join("campaigns.toml"), CAMPAIGNS).unwrap();
    let output = gst("contextual.sh")
        .env("PROGRAMME", &programme)
        .env("CAMPAIGNS", folder.path().join("campaigns.toml"))
        .env("BREAKS", "3+2")
        .env("LEDGER", folder.path().join("ledger.db"))
        .env("OUT", &out)
        .output()
        .unwrap();
    assert_ran(&output);
    assert_eq!(count_frames(&out), 150);
    let shown: Vec<bool> = [74, 75, 124, 125].into_iter().map(|frame| is_blue(colour(&out, frame))).collect();
    assert_eq!(shown, [false, true, true, false]);
}

#[test]
fn signage_plays_on_while_nobody_has_agreed() {
    if facialads_testkit::model("efficientnet-lite0").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let programme = folder.path().join("p.mp4");
    clip(&programme, "white", 6);
    clip(&folder.path().join("blue.mp4"), "blue", 2);
    std::fs::write(folder.path().join("campaigns.toml"), CAMPAIGNS).unwrap();
    let ledger = folder.path().join("ledger.db");
    let output = gst("signage.sh")
        .env("PROGRAMME", &programme)
        .env("CAMPAIGNS", folder.path().join("campaigns.toml"))
        .env("BREAKS", "3+2")
        .env(
            "CAMERA",
            "videotestsrc is-live=true num-buffers=200 ! video/x-raw,width=320,height=240,framerate=25/1",
        )
        .env("CONSENT", folder.path().join("consent.db"))
        .env("LEDGER", &ledger)
        .env("VIDEO_SINK", "fakesink sync=true")
        .env("AUDIO_SINK", "fakesink sync=true")
        .output()
        .unwrap();
    assert_ran(&output);
    let database = rusqlite::Connection::open(&ledger).unwrap();
    let tables: Vec<String> = database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(!tables.is_empty(), "the break was recorded");
}
