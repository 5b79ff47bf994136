//! A creative's frames and samples are the right ones, at any programme format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{creative::*, numbered::*};
use gst::ClockTime;
use gstfacialads::adinsert::creative::{DecodedCreative, Frame, Options, Readiness};
use std::time::{Duration, Instant};

/// Which source frame a player shows at output frame `n`: the last one that starts before the middle of it.
fn expected_source(n: u64, output: (i32, i32), source: (i32, i32), frames: u32) -> u32 {
    // Both sides times the product of all rates: start of source frame k is k*sd/sn, the middle is (2n+1)*od/(2*on).
    let (on, od, sn, sd) = (output.0 as u64, output.1 as u64, source.0 as u64, source.1 as u64);
    let mut k = 0;
    while u64::from(k + 1) < u64::from(frames) && 2 * u64::from(k + 1) * sd * on < (2 * n + 1) * od * sn {
        k += 1;
    }
    k
}

#[test]
fn every_container_delivers_its_150_frames_at_30_fps_then_ends() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let vorbis = Audio { codec: AudioCodec::Vorbis, ..Audio::ramp(44_100, 5 * 44_100) };
    let of = |container, codec, audio: Audio| Spec {
        container,
        video: vec![Video { codec, ..Video::h264(125) }],
        audio: vec![Audio { sound: Sound::Tone(440.0), ..audio }],
    };
    let cases = [
        ("ad.mp4", Spec::h264_mp4(5)),
        ("ad.mkv", Spec::exact_mkv(5)),
        ("ad.webm", of(Container::Webm, VideoCodec::Vp8, vorbis.clone())),
        ("ad.ogv", of(Container::Ogg, VideoCodec::Theora, vorbis)),
    ];
    for (name, spec) in cases {
        let path = make_creative(&dir.path().join(name), &spec);
        let format = programme("I420", 640, 360, (30, 1), &[(48_000, 2)]);
        let ad = open(&path, &format);
        assert_eq!(wait_ready(&*ad), Readiness::Ready, "{name}");
        assert!(ad.has_video() && ad.has_audio(), "{name}");
        let picture = fitted((320, 240), (1, 1), (640, 360), (1, 1));
        let shown = play(&*ad, &format, (30, 1), picture);
        let expected: Vec<_> = (0..150)
            .map(|n| Some(Numbered { tag: 1, index: expected_source(n, (30, 1), (25, 1), 125) }))
            .collect();
        assert_eq!(shown, expected, "{name}");
        let duration = ad.duration().unwrap();
        assert_eq!(duration, ClockTime::from_seconds(5), "{name}");
    }
}

#[test]
fn odd_rates_are_converted_by_time_and_not_by_count() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    for (source, output) in
        [((24_000, 1001), (60_000, 1001)), ((60, 1), (25, 1)), ((25, 1), (24, 1)), ((25, 1), (25, 1))]
    {
        let frames = 60;
        let video =
            Video { codec: VideoCodec::Ffv1, fps: source, width: 160, height: 120, ..Video::h264(frames) };
        let spec = Spec { container: Container::Matroska, video: vec![video], audio: vec![] };
        let path = make_creative(&dir.path().join("ad.mkv"), &spec);
        let format = programme("NV12", 160, 120, output, &[]);
        let ad = open(&path, &format);
        assert_eq!(wait_ready(&*ad), Readiness::Ready);
        let all = Rect { x: 0, y: 0, width: 160, height: 120 };
        let shown: Vec<_> =
            play(&*ad, &format, output, all).into_iter().map(|seen| seen.unwrap().index).collect();
        // Matroska rounds to milliseconds, so a frame may fall on the other side of the half-frame line.
        for (n, index) in shown.iter().enumerate() {
            let expected = expected_source(n as u64, output, source, frames);
            assert!(
                index.abs_diff(expected) <= 1,
                "{source:?} as {output:?}: frame {n} is {index}, not {expected}"
            );
        }
        assert!(shown.is_sorted(), "{source:?} as {output:?}: {shown:?}");
        let seconds = f64::from(frames) * f64::from(source.1) / f64::from(source.0);
        let length = (seconds * f64::from(output.0) / f64::from(output.1)).round();
        assert!((shown.len() as f64 - length).abs() <= 1.0, "{} frames for {length}", shown.len());
    }
}

#[test]
fn sound_at_the_same_rate_is_exact_to_the_bit_in_pieces_of_any_size() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    for codec in [AudioCodec::Flac, AudioCodec::Pcm] {
        let sound = Audio { codec, ..Audio::ramp(48_000, 150_001) };
        let spec = Spec { audio: vec![sound.clone()], video: vec![Video::h264(80)], ..Spec::exact_mkv(1) };
        let path = make_creative(&dir.path().join("ad.mkv"), &spec);
        let format = programme("I420", 320, 240, (25, 1), &[(48_000, 1)]);
        let ad = open(&path, &format);
        assert_eq!(wait_ready(&*ad), Readiness::Ready);
        let (mut got, mut real) = (Vec::new(), 0);
        for size in [1, 7, 1024, 4800, 333, 1, 48_000, 20_000, 50_000, 25_835, 100].iter().cycle() {
            let at = got.len() as u64 / 2;
            if at >= 151_000 {
                break;
            }
            let mut piece = vec![0xAA; size * 2];
            real += ad.samples(0, at, &mut piece, LONG);
            got.extend(piece);
        }
        let expected = sound_bytes(&sound, 0, 150_001);
        assert_eq!(first_difference(&got, &expected), None, "{codec:?}");
        assert!(got[expected.len()..].iter().all(|byte| *byte == 0), "after its end there is silence");
        assert_eq!(real, 150_001);
    }
}

#[test]
fn sound_can_be_asked_for_later_but_not_again() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec::exact_mkv(4);
    let path = make_creative(&dir.path().join("ad.mkv"), &spec);
    let ad = open(&path, &programme("I420", 320, 240, (25, 1), &[(48_000, 1)]));
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let mut piece = vec![0; 2000];
    assert_eq!(ad.samples(0, 100_000, &mut piece, LONG), 1000);
    assert_eq!(piece, sound_bytes(&spec.audio[0], 100_000, 1000));
    assert_eq!(ad.samples(0, 50_000, &mut piece, LONG), 0, "what was passed is gone");
    assert!(piece.iter().all(|byte| *byte == 0));
    assert_eq!(ad.samples(0, 101_000, &mut piece, LONG), 1000, "and does no harm to what follows");
    assert_eq!(piece, sound_bytes(&spec.audio[0], 101_000, 1000));
    assert_eq!(ad.samples(0, 191_500, &mut piece, LONG), 500, "the end");
    assert_eq!(ad.samples(9, 0, &mut piece, LONG), 0, "no such pad");
}

#[test]
fn resampled_sound_begins_and_ends_where_it_should() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let sound = Audio { sound: Sound::Tone(1000.0), ..Audio::ramp(44_100, 2 * 44_100) };
    let spec = Spec { audio: vec![sound], ..Spec::exact_mkv(2) };
    let path = make_creative(&dir.path().join("ad.mkv"), &spec);
    let ad = open(&path, &programme("I420", 320, 240, (25, 1), &[(48_000, 1)]));
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let mut all = vec![0; 2 * 100_000];
    let real = ad.samples(0, 0, &mut all, LONG);
    assert!(real.abs_diff(96_000) <= 1, "2 s at 48 kHz are 96000 samples, not {real}");
    let value = |n: usize| f64::from(i16::from_le_bytes([all[2 * n], all[2 * n + 1]]));
    // Away from the ends the tone is the same sine, in phase to less than half a sample (2145 per sample at its
    // steepest).
    for n in 2_000..94_000 {
        let expected = 16_384.0 * (std::f64::consts::TAU * 1000.0 * n as f64 / 48_000.0).sin();
        assert!((value(n) - expected).abs() < 1000.0, "sample {n}: {} is not {expected}", value(n));
    }
    assert!((96_001..100_000).all(|n| value(n) == 0.0));
}

#[test]
fn each_audio_pad_gets_its_own_format_and_one_that_is_not_read_stops_nothing() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec::exact_mkv(8);
    let path = make_creative(&dir.path().join("ad.mkv"), &spec);
    let format = programme("I420", 320, 240, (25, 1), &[(48_000, 1), (48_000, 2), (16_000, 1)]);
    let ad = open(&path, &format);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    // Pad 0 to its end while pads 1 and 2 and the picture stand still.
    let mut mono = vec![0; 2 * 384_000];
    assert_eq!(ad.samples(0, 0, &mut mono, LONG), 384_000);
    assert_eq!(first_difference(&mono, &sound_bytes(&spec.audio[0], 0, 384_000)), None);
    let mut stereo = vec![0; 4 * 384_000];
    assert_eq!(ad.samples(1, 0, &mut stereo, LONG), 384_000);
    let both = Audio { channels: 2, ..spec.audio[0].clone() };
    assert_eq!(first_difference(&stereo, &sound_bytes(&both, 0, 384_000)), None);
    let mut low = vec![0; 2 * 128_000];
    assert!(ad.samples(2, 0, &mut low, LONG).abs_diff(128_000) <= 1);
    assert!(matches!(ad.frame(ClockTime::ZERO, LONG), Frame::Picture(_)), "the picture waited");
}

#[test]
fn picture_and_sound_may_be_consumed_at_any_speed() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec::exact_mkv(20);
    let path = make_creative(&dir.path().join("ad.mkv"), &spec);
    let format = programme("I420", 320, 240, (25, 1), &[(48_000, 1)]);
    // All of the sound before the first frame is taken.
    let ad = open(&path, &format);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let mut all = vec![0; 2 * 960_000];
    assert_eq!(ad.samples(0, 0, &mut all, LONG), 960_000);
    assert_eq!(first_difference(&all, &sound_bytes(&spec.audio[0], 0, 960_000)), None);
    // All of the picture before the first sample is taken.
    let ad = open(&path, &format);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let shown = play(&*ad, &format, (25, 1), Rect { x: 0, y: 0, width: 320, height: 240 });
    assert_eq!(shown.len(), 500);
    let mut piece = vec![0; 2 * 960_000];
    assert_eq!(ad.samples(0, 0, &mut piece, LONG), 960_000);
}

#[test]
fn a_late_caller_gets_the_frame_of_its_time_and_not_the_next_in_line() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("ad.mp4"), &Spec::h264_mp4(5));
    let format = programme("I420", 320, 240, (25, 1), &[]);
    let ad = open(&path, &format);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    for index in [0u32, 1, 50, 51, 124] {
        let Frame::Picture(buffer) = ad.frame(time_of(index.into(), (25, 1)), LONG) else {
            panic!("no picture")
        };
        assert_eq!(read_index(&buffer, &info(&format)).unwrap().index, index);
        // Asking for the same time again changes nothing.
        let Frame::Picture(again) = ad.frame(time_of(index.into(), (25, 1)), LONG) else {
            panic!("no picture")
        };
        assert_eq!(read_index(&again, &info(&format)).unwrap().index, index);
    }
    assert!(matches!(ad.frame(ClockTime::from_seconds(5), LONG), Frame::End));
    assert!(matches!(ad.frame(ClockTime::from_seconds(500), LONG), Frame::End));
}

#[test]
fn where_the_sound_goes_on_the_last_picture_stays() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec { audio: vec![Audio::ramp(48_000, 3 * 48_000)], ..Spec::exact_mkv(2) };
    let path = make_creative(&dir.path().join("ad.mkv"), &spec);
    let format = programme("I420", 320, 240, (25, 1), &[(48_000, 1)]);
    let ad = open(&path, &format);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let mut all = vec![0; 2 * 200_000];
    assert_eq!(ad.samples(0, 0, &mut all, LONG), 144_000);
    let shown = play(&*ad, &format, (25, 1), Rect { x: 0, y: 0, width: 320, height: 240 });
    let expected: Vec<u32> = (0..75).map(|n: u32| n.min(49)).collect();
    assert_eq!(shown.into_iter().map(|seen| seen.unwrap().index).collect::<Vec<_>>(), expected);
    assert_eq!(ad.duration(), Some(ClockTime::from_seconds(3)));
}

#[test]
fn buffers_are_bare_and_share_their_memory() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("ad.mp4"), &Spec::h264_mp4(1));
    let format = programme("I420", 640, 480, (25, 1), &[]);
    let ad = open(&path, &format);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let (Frame::Picture(one), Frame::Picture(two)) =
        (ad.frame(ClockTime::ZERO, LONG), ad.frame(ClockTime::ZERO, LONG))
    else {
        panic!("no picture");
    };
    assert_eq!(one.iter_meta::<gst::Meta>().count(), 0);
    assert_eq!((one.pts(), one.dts(), one.duration()), (None, None, None));
    assert_eq!(one.size(), info(&format).size());
    let memory = |buffer: &gst::Buffer| buffer.map_readable().unwrap().as_ptr();
    assert_eq!(memory(&one), memory(&two), "no pixel was copied");
}

#[test]
fn pictures_of_any_shape_keep_it_inside_borders() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let format = programme("I420", 320, 240, (25, 1), &[]);
    let cases = [
        ((640, 360), (1, 1)),
        ((240, 320), (1, 1)),
        ((321, 241), (1, 1)),
        ((176, 144), (12, 11)),
        ((360, 288), (64, 45)),
    ];
    for ((width, height), par) in cases {
        let video = Video { codec: VideoCodec::Ffv1, width, height, par, ..Video::h264(3) };
        let spec = Spec { container: Container::Matroska, video: vec![video], audio: vec![] };
        let path = make_creative(&dir.path().join("ad.mkv"), &spec);
        let ad = open(&path, &format);
        assert_eq!(wait_ready(&*ad), Readiness::Ready, "{width}x{height} {par:?}");
        let size = (width as u32, height as u32);
        let place = fitted(size, (par.0 as u32, par.1 as u32), (320, 240), (1, 1));
        let Frame::Picture(buffer) = ad.frame(ClockTime::ZERO, LONG) else { panic!("no picture") };
        let seen = read_index_in(&buffer, &info(&format), place);
        assert_eq!(seen, Some(Numbered { tag: 1, index: 0 }), "{width}x{height} {par:?} in {place:?}");
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(&buffer, &info(&format)).unwrap();
        let border = [(place.x / 2, 120), (160, place.y / 2)];
        for (x, y) in border.into_iter().filter(|_| place.x > 4 || place.y > 4).filter(|(x, y)| {
            !(place.x..place.x + place.width).contains(x) || !(place.y..place.y + place.height).contains(y)
        }) {
            assert!(level_at(&frame, x, y).unwrap().abs() < 0.02, "the border at {x},{y} is not black");
        }
    }
}

#[test]
fn the_largest_and_the_smallest_pictures_play() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    for (width, height, codec) in
        [(7680, 4320, VideoCodec::Jpeg), (1, 1, VideoCodec::Jpeg), (2, 1080, VideoCodec::Jpeg)]
    {
        let video = Video { codec, width, height, ..Video::h264(3) };
        let spec = Spec { container: Container::Matroska, video: vec![video], audio: vec![] };
        let path = make_creative(&dir.path().join("ad.mkv"), &spec);
        for (w, h) in [(320, 240), (1, 1)] {
            let format = programme("I420", w, h, (25, 1), &[]);
            let options = Options { preroll_timeout: ClockTime::from_seconds(60), ..Options::default() };
            let ad = DecodedCreative::open(path.to_str().unwrap(), &format, options);
            assert_eq!(wait_ready(&*ad), Readiness::Ready, "{width}x{height} in {w}x{h}");
            let Frame::Picture(buffer) = ad.frame(ClockTime::ZERO, LONG) else { panic!("no picture") };
            assert_eq!(buffer.size(), info(&format).size());
            if (width, w) == (7680, 320) {
                let place = fitted((7680, 4320), (1, 1), (320, 240), (1, 1));
                assert_eq!(read_index_in(&buffer, &info(&format), place).unwrap().index, 0);
            }
        }
    }
}

#[test]
fn one_hour_prepared_is_as_good_as_one_second() {
    // What an hour would do is fill every queue and stop; so it is enough to see that production stops and that what was
    // prepared is still the beginning.
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec::exact_mkv(10);
    let path = make_creative(&dir.path().join("ad.mkv"), &spec);
    let format = programme("I420", 320, 240, (25, 1), &[(48_000, 1)]);
    let ad = open(&path, &format);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        assert_eq!(ad.readiness(), Readiness::Ready);
        std::thread::sleep(Duration::from_millis(50));
    }
    let shown = play(&*ad, &format, (25, 1), Rect { x: 0, y: 0, width: 320, height: 240 });
    assert_eq!(
        shown.into_iter().map(|seen| seen.unwrap().index).collect::<Vec<_>>(),
        (0..250).collect::<Vec<_>>()
    );
    let mut all = vec![0; 2 * 480_000];
    assert_eq!(ad.samples(0, 0, &mut all, LONG), 480_000);
    assert_eq!(first_difference(&all, &sound_bytes(&spec.audio[0], 0, 480_000)), None);
}

fn first_difference(got: &[u8], expected: &[u8]) -> Option<usize> {
    got.iter().zip(expected).position(|(a, b)| a != b).or((got.len() < expected.len()).then_some(got.len()))
}

/// Prints how long calls take when everything is prepared; nothing is asserted about it.
#[test]
fn calls_are_measured() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("ad.mp4"), &Spec::h264_mp4(5));
    let format = programme("I420", 1920, 1080, (25, 1), &[(48_000, 2)]);
    let ad = open(&path, &format);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let (mut frames, mut samples, mut sound) = (Vec::new(), Vec::new(), vec![0; 1920 * 4]);
    for n in 0..125u64 {
        // As a live programme asks: one frame's time apart, never waiting.
        std::thread::sleep(Duration::from_millis(40));
        let asked = Instant::now();
        assert!(matches!(ad.frame(time_of(n, (25, 1)), ClockTime::ZERO), Frame::Picture(_) | Frame::Held(_)));
        frames.push(asked.elapsed());
        let asked = Instant::now();
        ad.samples(0, n * 1920, &mut sound, ClockTime::ZERO);
        samples.push(asked.elapsed());
    }
    for (name, mut times) in [("frame", frames), ("samples", samples)] {
        times.sort();
        println!(
            "{name}: median {:?}, longest {:?} of {} calls",
            times[times.len() / 2],
            times[times.len() - 1],
            times.len()
        );
    }
}
