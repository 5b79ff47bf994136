//! Numbered media: every frame says in its own pixels which stream it is from and which frame it is, legible after
//! compression, scaling and conversion; every audio sample (or tone) says where it belongs.
//!
//! A frame is a grid of 5 x 4 blocks, black or white: 12 bits frame index, 4 bits tag, 4 bits checksum. So any picture
//! that is not one of ours reads as `None` (15 times in 16 if it were noise, and plain pictures always).
//!
//! ```ignore
//! let dir = tempfile::tempdir().unwrap();
//! let ad = make_creative(&dir.path().join("ad.mp4"), &Spec::h264_mp4(5));
//! let seen = read_index(&buffer, &info).unwrap();
//! assert_eq!((seen.tag, seen.index), (1, 0));
//! ```

use gst::prelude::*;
use gst_video::prelude::*;
use std::path::{Path, PathBuf};

const COLUMNS: u32 = 5;
const ROWS: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Mp4,
    Matroska,
    Webm,
    Ogg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// With three B-frames between the others, reordered.
    H264,
    Vp8,
    Theora,
    Jpeg,
    /// Lossless, any size from 1x1 on.
    Ffv1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCodec {
    Aac,
    Vorbis,
    /// Lossless.
    Flac,
    /// Lossless: S16LE as it is.
    Pcm,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sound {
    /// Sample `i` of every channel has the value [`ramp`]`(i)`, never 0: exact where nothing is lossy.
    Ramp,
    /// A sine at half of full scale.
    Tone(f64),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    pub codec: VideoCodec,
    pub width: i32,
    pub height: i32,
    pub fps: (i32, i32),
    pub par: (i32, i32),
    pub frames: u32,
    /// Written into every frame: 1..=15.
    pub tag: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    pub codec: AudioCodec,
    pub rate: i32,
    pub channels: i32,
    pub samples: u64,
    pub sound: Sound,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub container: Container,
    /// One track each, in this order.
    pub video: Vec<Video>,
    pub audio: Vec<Audio>,
}

impl Spec {
    /// The creative of ADINSERT.md: MP4, H.264 with B-frames, 320x240 at 25 fps; AAC, 44.1 kHz mono, 440 Hz.
    pub fn h264_mp4(seconds: u32) -> Self {
        Self {
            container: Container::Mp4,
            video: vec![Video::h264(seconds * 25)],
            audio: vec![Audio {
                codec: AudioCodec::Aac,
                rate: 44_100,
                channels: 1,
                samples: u64::from(seconds) * 44_100,
                sound: Sound::Tone(440.0),
            }],
        }
    }
    /// Matroska with the same video, and a lossless ramp at 48 kHz mono: audio can be compared sample by sample.
    pub fn exact_mkv(seconds: u32) -> Self {
        Self {
            container: Container::Matroska,
            video: vec![Video::h264(seconds * 25)],
            audio: vec![Audio::ramp(48_000, u64::from(seconds) * 48_000)],
        }
    }
    pub fn tagged(mut self, tag: u8) -> Self {
        for video in &mut self.video {
            video.tag = tag;
        }
        self
    }
    pub fn without_audio(mut self) -> Self {
        self.audio.clear();
        self
    }
    pub fn without_video(mut self) -> Self {
        self.video.clear();
        self
    }
}

impl Video {
    pub fn h264(frames: u32) -> Self {
        Self { codec: VideoCodec::H264, width: 320, height: 240, fps: (25, 1), par: (1, 1), frames, tag: 1 }
    }
}

impl Audio {
    pub fn ramp(rate: i32, samples: u64) -> Self {
        Self { codec: AudioCodec::Flac, rate, channels: 1, samples, sound: Sound::Ramp }
    }
}

/// Value of sample `index` of a ramp: 1..=32000, so that silence is never mistaken for it.
pub fn ramp(index: u64) -> i16 {
    (index % 32_000) as i16 + 1
}

/// What a frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    pub tag: u8,
    pub index: u32,
}

impl Numbered {
    fn code(self) -> u32 {
        let index = self.index & 0xfff;
        let tag = u32::from(self.tag & 0xf);
        // 9 in the sum: an all-black picture has no valid checksum.
        let check = ((index & 0xf) + (index >> 4 & 0xf) * 3 + (index >> 8) * 5 + tag * 7 + 9) & 0xf;
        index | tag << 12 | check << 16
    }
    fn decode(code: u32) -> Option<Self> {
        let seen = Self { tag: (code >> 12 & 0xf) as u8, index: code & 0xfff };
        (seen.code() == code).then_some(seen)
    }
}

/// Part of a frame, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Where a picture of `size` pixels with pixel aspect ratio `par` lies in a frame, as large as it fits, centred.
pub fn fitted(size: (u32, u32), par: (u32, u32), frame: (u32, u32), frame_par: (u32, u32)) -> Rect {
    let wide = f64::from(size.0 * par.0 * frame_par.1) / f64::from(size.1 * par.1 * frame_par.0);
    let (fw, fh) = (f64::from(frame.0), f64::from(frame.1));
    let (w, h) = if wide > fw / fh { (fw, fw / wide) } else { (fh * wide, fh) };
    Rect {
        x: ((fw - w) / 2.0).round() as u32,
        y: ((fh - h) / 2.0).round() as u32,
        width: w.round() as u32,
        height: h.round() as u32,
    }
}

/// Reads the number out of a whole frame of any raw format with 8 bits or more.
pub fn read_index(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> Option<Numbered> {
    read_index_in(buffer, info, Rect { x: 0, y: 0, width: info.width(), height: info.height() })
}

/// Reads the number of the picture in a part of the frame.
pub fn read_index_in(buffer: &gst::BufferRef, info: &gst_video::VideoInfo, rect: Rect) -> Option<Numbered> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).ok()?;
    let mut code = 0;
    for block in 0..COLUMNS * ROWS {
        let x = rect.x + (2 * (block % COLUMNS) + 1) * rect.width / (2 * COLUMNS);
        let y = rect.y + (2 * (block / COLUMNS) + 1) * rect.height / (2 * ROWS);
        let level = level_at(&frame, x, y)?;
        // A grey block is neither: not one of our pictures.
        if (0.4..0.6).contains(&level) {
            return None;
        }
        code |= u32::from(level > 0.5) << block;
    }
    Numbered::decode(code)
}

/// Brightness 0..1 (of nominal luma, or of green where there is no luma) at a pixel.
pub fn level_at(frame: &gst_video::VideoFrameRef<&gst::BufferRef>, x: u32, y: u32) -> Option<f64> {
    let rgb = frame.format_info().is_rgb();
    let component = u32::from(rgb);
    let data = frame.comp_data(component).ok()?;
    let at = y as usize * frame.comp_stride(component) as usize
        + x as usize * frame.comp_pstride(component) as usize;
    let depth = frame.comp_depth(component);
    let value = if depth > 8 {
        let raw = u16::from_le_bytes([*data.get(at)?, *data.get(at + 1)?])
            >> frame.format_info().shift()[component as usize];
        f64::from(raw) / f64::from((1u32 << depth) - 1)
    } else {
        f64::from(*data.get(at)?) / 255.0
    };
    Some(if rgb { value } else { (value * 255.0 - 16.0) / 219.0 })
}

/// A numbered frame in any raw 8-bit format; no timestamp.
pub fn numbered_frame(info: &gst_video::VideoInfo, number: Numbered) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    let mut frame =
        gst_video::VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), info).unwrap();
    let rgb = info.format_info().is_rgb();
    for component in 0..frame.n_components() {
        let bits = rgb && component < 3 || component == 0;
        let (w, h) = (frame.comp_width(component), frame.comp_height(component));
        let stride = frame.comp_stride(component) as usize;
        let pixel = frame.comp_pstride(component) as usize;
        let data = frame.comp_data_mut(component).unwrap();
        let code = number.code();
        for y in 0..h {
            for x in 0..w {
                let block = y * ROWS / h * COLUMNS + x * COLUMNS / w;
                let white = code >> block & 1 == 1;
                data[y as usize * stride + x as usize * pixel] = match (bits, white) {
                    (true, true) => {
                        if rgb {
                            255
                        } else {
                            235
                        }
                    }
                    (true, false) => {
                        if rgb {
                            0
                        } else {
                            16
                        }
                    }
                    (false, _) => {
                        if rgb {
                            255
                        } else {
                            128
                        }
                    }
                };
            }
        }
    }
    drop(frame);
    buffer
}

/// Writes a creative (or a programme) and returns its path. Panics where an encoder is missing.
pub fn make_creative(path: &Path, spec: &Spec) -> PathBuf {
    gst::init().unwrap();
    let pipeline = gst::Pipeline::new();
    let mux = make(match spec.container {
        Container::Mp4 => "mp4mux",
        Container::Matroska => "matroskamux",
        Container::Webm => "webmmux",
        Container::Ogg => "oggmux",
    });
    let sink = make("filesink");
    sink.set_property("location", path.to_str().unwrap());
    pipeline.add_many([&mux, &sink]).unwrap();
    mux.link(&sink).unwrap();
    let video: Vec<_> = spec.video.iter().map(|v| video_track(&pipeline, &mux, v)).collect();
    let audio: Vec<_> = spec.audio.iter().map(|a| audio_track(&pipeline, &mux, a)).collect();
    pipeline.set_state(gst::State::Playing).unwrap();
    // Each track is fed by a thread of its own: a muxer waits for all of them.
    std::thread::scope(|scope| {
        for (source, v) in video.iter().zip(&spec.video) {
            scope.spawn(move || feed_video(source, v));
        }
        for (source, a) in audio.iter().zip(&spec.audio) {
            scope.spawn(move || feed_audio(source, a));
        }
    });
    let bus = pipeline.bus().unwrap();
    let end = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(120),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    let failure = match end.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) => None,
        other => Some(format!("{other:?}")),
    };
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(failure.is_none(), "cannot write {}: {failure:?}", path.display());
    path.to_owned()
}

fn make(name: &str) -> gst::Element {
    gst::ElementFactory::make(name).build().unwrap_or_else(|_| panic!("element {name} is not installed"))
}

fn track(
    pipeline: &gst::Pipeline,
    mux: &gst::Element,
    caps: gst::Caps,
    elements: Vec<gst::Element>,
) -> gst_app::AppSrc {
    let source = gst_app::AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .max_bytes(8 << 20)
        .block(true)
        .build();
    let mut chain = vec![source.clone().upcast::<gst::Element>()];
    chain.extend(elements);
    pipeline.add_many(&chain).unwrap();
    chain.push(mux.clone());
    gst::Element::link_many(&chain).unwrap();
    source
}

fn video_info(video: &Video) -> gst_video::VideoInfo {
    gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, video.width as u32, video.height as u32)
        .fps(gst::Fraction::new(video.fps.0, video.fps.1))
        .par(gst::Fraction::new(video.par.0, video.par.1))
        .build()
        .unwrap()
}

fn video_track(pipeline: &gst::Pipeline, mux: &gst::Element, video: &Video) -> gst_app::AppSrc {
    let mut elements = vec![make("videoconvert")];
    match video.codec {
        VideoCodec::H264 => {
            let encoder = make("x264enc");
            encoder.set_property_from_str("speed-preset", "superfast");
            encoder.set_property("bframes", 3u32);
            encoder.set_property("b-adapt", false);
            encoder.set_property("key-int-max", 50u32);
            encoder.set_property("threads", 1u32);
            elements.extend([encoder, make("h264parse")]);
        }
        VideoCodec::Vp8 => {
            let encoder = make("vp8enc");
            encoder.set_property("deadline", 1i64);
            encoder.set_property("cpu-used", 8i32);
            elements.push(encoder);
        }
        VideoCodec::Theora => elements.push(make("theoraenc")),
        VideoCodec::Jpeg => elements.push(make("jpegenc")),
        VideoCodec::Ffv1 => elements.push(make("avenc_ffv1")),
    }
    elements.push(make("queue"));
    track(pipeline, mux, video_info(video).to_caps().unwrap(), elements)
}

fn audio_track(pipeline: &gst::Pipeline, mux: &gst::Element, audio: &Audio) -> gst_app::AppSrc {
    let mut elements = vec![make("audioconvert")];
    match audio.codec {
        AudioCodec::Aac => elements.extend([make("avenc_aac"), make("aacparse")]),
        AudioCodec::Vorbis => elements.push(make("vorbisenc")),
        AudioCodec::Flac => elements.extend([make("flacenc"), make("flacparse")]),
        AudioCodec::Pcm => {}
    }
    elements.push(make("queue"));
    track(pipeline, mux, audio_caps("S16LE", audio.rate, audio.channels), elements)
}

/// Interleaved raw audio caps.
pub fn audio_caps(format: &str, rate: i32, channels: i32) -> gst::Caps {
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", format)
        .field("layout", "interleaved")
        .field("rate", rate)
        .field("channels", channels);
    if channels == 2 { caps.field("channel-mask", gst::Bitmask::new(3)).build() } else { caps.build() }
}

/// Fixed raw video caps.
pub fn video_caps(format: &str, width: i32, height: i32, fps: (i32, i32)) -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", format)
        .field("width", width)
        .field("height", height)
        .field("framerate", gst::Fraction::new(fps.0, fps.1))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .field("interlace-mode", "progressive")
        .build()
}

/// Start of unit `index` at `rate` units a second, rounded: how every timestamp here is made.
pub fn time_of(index: u64, rate: (i32, i32)) -> gst::ClockTime {
    let nanoseconds = index.mul_div_round(1_000_000_000 * rate.1 as u64, rate.0 as u64).unwrap();
    gst::ClockTime::from_nseconds(nanoseconds)
}

fn feed_video(source: &gst_app::AppSrc, video: &Video) {
    let info = video_info(video);
    for index in 0..video.frames {
        let mut buffer = numbered_frame(&info, Numbered { tag: video.tag, index });
        let start = time_of(index.into(), video.fps);
        let inner = buffer.get_mut().unwrap();
        inner.set_pts(start);
        inner.set_duration(time_of(u64::from(index) + 1, video.fps) - start);
        if source.push_buffer(buffer).is_err() {
            return;
        }
    }
    let _ = source.end_of_stream();
}

/// The samples `from..from + count` as S16LE bytes, all channels alike.
pub fn sound_bytes(audio: &Audio, from: u64, count: u64) -> Vec<u8> {
    let value = |index: u64| match audio.sound {
        Sound::Ramp => ramp(index),
        Sound::Tone(hz) => {
            let phase = std::f64::consts::TAU * hz * index as f64 / f64::from(audio.rate);
            (16_384.0 * phase.sin()).round() as i16
        }
    };
    (from..from + count)
        .flat_map(|index| std::iter::repeat_n(value(index).to_le_bytes(), audio.channels as usize))
        .flatten()
        .collect()
}

fn feed_audio(source: &gst_app::AppSrc, audio: &Audio) {
    let mut index = 0;
    while index < audio.samples {
        let count = 1024.min(audio.samples - index);
        let mut buffer = gst::Buffer::from_mut_slice(sound_bytes(audio, index, count));
        let start = time_of(index, (audio.rate, 1));
        let inner = buffer.get_mut().unwrap();
        inner.set_pts(start);
        inner.set_duration(time_of(index + count, (audio.rate, 1)) - start);
        if source.push_buffer(buffer).is_err() {
            return;
        }
        index += count;
    }
    let _ = source.end_of_stream();
}
