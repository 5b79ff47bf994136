//! Playing a creative without a programme.

use super::numbered::*;
use gst::ClockTime;
use gstfacialads::adinsert::creative::{Creative, DecodedCreative, Format, Frame, Options, Readiness};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Longer than anything takes on a slow machine.
pub const LONG: ClockTime = ClockTime::from_seconds(20);

/// A programme's format; audio pads as (rate, channels) in S16LE.
pub fn programme(pixels: &str, width: i32, height: i32, fps: (i32, i32), audio: &[(i32, i32)]) -> Format {
    Format {
        video: Some(video_caps(pixels, width, height, fps)),
        context: None,
        audio: audio.iter().map(|(rate, channels)| audio_caps("S16LE", *rate, *channels)).collect(),
    }
}

pub fn info(format: &Format) -> gst_video::VideoInfo {
    gst_video::VideoInfo::from_caps(format.video.as_ref().unwrap()).unwrap()
}

pub fn open(path: &Path, format: &Format) -> Arc<dyn Creative> {
    let options = Options { preroll_timeout: LONG, ..Options::default() };
    DecodedCreative::open(path.to_str().unwrap(), format, options)
}

/// Waits until it is known whether the creative can be played.
pub fn wait_ready(creative: &dyn Creative) -> Readiness {
    let start = Instant::now();
    loop {
        match creative.readiness() {
            Readiness::Preparing => std::thread::sleep(Duration::from_millis(2)),
            known => return known,
        }
        assert!(start.elapsed() < Duration::from_secs(90), "it never became known");
    }
}

/// All frames of a creative at a programme's frame rate, as numbers read in a part of the picture.
pub fn play(creative: &dyn Creative, format: &Format, fps: (i32, i32), place: Rect) -> Vec<Option<Numbered>> {
    let mut shown = Vec::new();
    loop {
        match creative.frame(time_of(shown.len() as u64, fps), LONG) {
            Frame::Picture(buffer) => shown.push(read_index_in(&buffer, &info(format), place)),
            Frame::End => return shown,
            other => panic!("frame {}: {other:?}", shown.len()),
        }
        assert!(shown.len() < 100_000, "it never ended");
    }
}
