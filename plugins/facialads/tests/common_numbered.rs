//! The numbered media themselves: what the other tests lean on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::numbered::*;
use gst::prelude::*;

/// Decodes a file with playbin's machinery into the caps and returns the buffers.
fn decode(path: &std::path::Path, video: Option<&gst::Caps>) -> Vec<gst::Buffer> {
    let caps = video.map_or_else(|| "audio/x-raw,format=S16LE".to_owned(), |c| c.to_string());
    let convert = if video.is_some() { "videoconvert ! videoscale" } else { "audioconvert" };
    let pipeline = gst::parse::launch(&format!(
        "filesrc name=source ! decodebin ! {convert} ! {caps} ! appsink name=sink sync=false"
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    pipeline.by_name("source").unwrap().set_property("location", path.to_str().unwrap());
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut buffers = Vec::new();
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(60)) {
        buffers.push(sample.buffer_owned().unwrap());
    }
    assert!(sink.is_eos(), "the stream never ended");
    pipeline.set_state(gst::State::Null).unwrap();
    buffers
}

#[test]
fn frames_keep_their_numbers_through_every_codec_and_many_formats() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("ad.mp4", Container::Mp4, VideoCodec::H264, "I420"),
        ("ad.mkv", Container::Matroska, VideoCodec::H264, "BGRx"),
        ("ad.webm", Container::Webm, VideoCodec::Vp8, "NV12"),
        ("ad.ogv", Container::Ogg, VideoCodec::Theora, "I420_10LE"),
        ("jpeg.mkv", Container::Matroska, VideoCodec::Jpeg, "UYVY"),
        ("ffv1.mkv", Container::Matroska, VideoCodec::Ffv1, "RGB"),
    ];
    for (name, container, codec, format) in cases {
        let video = Video { codec, tag: 9, ..Video::h264(30) };
        let spec = Spec { container, video: vec![video], audio: vec![] };
        let path = make_creative(&dir.path().join(name), &spec);
        let caps = video_caps(format, 96, 64, (25, 1));
        let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
        let read: Vec<_> = decode(&path, Some(&caps)).iter().map(|b| read_index(b, &info)).collect();
        let expected: Vec<_> = (0..30).map(|index| Some(Numbered { tag: 9, index })).collect();
        assert_eq!(read, expected, "{name} as {format}");
    }
}

#[test]
fn a_lossless_ramp_comes_back_sample_by_sample() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    for codec in [AudioCodec::Flac, AudioCodec::Pcm] {
        let audio = Audio { codec, ..Audio::ramp(44_100, 40_001) };
        let spec = Spec { container: Container::Matroska, video: vec![], audio: vec![audio.clone()] };
        let path = make_creative(&dir.path().join("a.mka"), &spec);
        let bytes: Vec<u8> =
            decode(&path, None).iter().flat_map(|b| b.map_readable().unwrap().to_vec()).collect();
        assert_eq!(bytes.len(), 80_002);
        assert!(bytes == sound_bytes(&audio, 0, 40_001), "{codec:?} is not lossless");
    }
}

#[test]
fn a_plain_picture_has_no_number() {
    common::init();
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 64, 48).build().unwrap();
    for level in [0u8, 16, 128, 235, 255] {
        let buffer = gst::Buffer::from_mut_slice(vec![level; info.size()]);
        assert_eq!(read_index(&buffer, &info), None, "level {level}");
    }
}
