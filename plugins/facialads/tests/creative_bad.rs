//! Creatives that are missing, broken, odd or slow: what is said, and that nothing ever waits longer than it was told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{creative::*, numbered::*};
use gst::ClockTime;
use gstfacialads::adinsert::creative::{
    Creative, DecodedCreative, Format, Frame, Options, Readiness, finish_teardowns,
};
use std::{
    net::TcpListener,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

fn both() -> Format {
    programme("I420", 320, 240, (25, 1), &[(48_000, 1)])
}

fn failure(creative: &dyn Creative) -> String {
    match wait_ready(creative) {
        Readiness::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn quick(path: &str, format: &Format, seconds: u64) -> std::sync::Arc<dyn Creative> {
    let options = Options { preroll_timeout: ClockTime::from_seconds(seconds), ..Options::default() };
    DecodedCreative::open(path, format, options)
}

#[test]
fn what_is_not_a_creative_says_why() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = "This is a text about advertising, and nothing but a text.\n".repeat(200);
    let cases = [
        (dir.path().join("gone.mp4").to_str().unwrap().to_owned(), "no such file"),
        ("file:///nowhere/at/all.mp4".to_owned(), "no such file"),
        (dir.path().to_str().unwrap().to_owned(), "is a folder"),
        (file("text.mp4", text.as_bytes()), "not a media file"),
        (file("empty.mp4", b""), "is empty"),
        (file("zeros.mp4", &[0; 100_000]), "not a media file"),
        ("nosuchscheme://host/ad.mp4".to_owned(), "nosuchscheme"),
        (String::new(), "no path given"),
    ];
    for (path, words) in cases {
        let ad = quick(&path, &both(), 15);
        let reason = failure(&*ad);
        assert!(reason.contains(words), "{path}: {reason}");
        assert!(matches!(ad.frame(ClockTime::ZERO, LONG), Frame::Failed(_)), "{path}");
        let mut out = [0xAA; 64];
        assert_eq!(ad.samples(0, 0, &mut out, LONG), 0);
        assert_eq!(out, [0; 64], "silence");
    }
}

#[test]
fn a_file_is_known_by_its_content_and_not_by_its_name() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("really-matroska.mp4"), &Spec::exact_mkv(1));
    let ad = open(&path, &both());
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    assert_eq!(play(&*ad, &both(), (25, 1), Rect { x: 0, y: 0, width: 320, height: 240 }).len(), 25);
}

#[test]
fn only_the_streams_that_exist_are_waited_for() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let silent = make_creative(&dir.path().join("silent.mp4"), &Spec::h264_mp4(1).without_audio());
    let ad = open(&silent, &both());
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    assert_eq!((ad.has_video(), ad.has_audio()), (true, false));
    let (mut out, asked) = (vec![1; 9600], Instant::now());
    assert_eq!(ad.samples(0, 0, &mut out, LONG), 0);
    assert!(asked.elapsed() < Duration::from_secs(10), "nobody waits for sound that does not exist");
    assert!(out.iter().all(|byte| *byte == 0));

    let spoken = make_creative(&dir.path().join("radio.mka"), &Spec::exact_mkv(1).without_video());
    let ad = open(&spoken, &both());
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    assert_eq!((ad.has_video(), ad.has_audio()), (false, true));
    assert!(matches!(ad.frame(ClockTime::ZERO, LONG), Frame::End));
    assert_eq!(ad.samples(0, 0, &mut out, LONG), 4800);
    assert_eq!(ad.duration(), Some(ClockTime::from_seconds(1)));
}

#[test]
fn what_the_programme_has_no_place_for_is_not_decoded_and_stalls_nothing() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("ad.mkv"), &Spec::exact_mkv(10));
    let mute = programme("I420", 320, 240, (25, 1), &[]);
    let ad = open(&path, &mute);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    assert_eq!((ad.has_video(), ad.has_audio()), (true, false));
    assert_eq!(play(&*ad, &mute, (25, 1), Rect { x: 0, y: 0, width: 320, height: 240 }).len(), 250);

    let radio = Format { video: None, ..both() };
    let ad = open(&path, &radio);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    assert_eq!((ad.has_video(), ad.has_audio()), (false, true));
    let mut all = vec![0; 2 * 480_000];
    assert_eq!(ad.samples(0, 0, &mut all, LONG), 480_000);

    let spoken = make_creative(&dir.path().join("radio.mka"), &Spec::exact_mkv(1).without_video());
    let reason = failure(&*quick(spoken.to_str().unwrap(), &mute, 3));
    assert!(reason.contains("radio.mka"), "{reason}");
}

#[test]
fn of_several_streams_the_first_of_each_kind_plays() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec {
        container: Container::Matroska,
        video: vec![Video::h264(100), Video { tag: 7, ..Video::h264(100) }],
        audio: vec![
            Audio::ramp(48_000, 192_000),
            Audio { sound: Sound::Tone(300.0), ..Audio::ramp(48_000, 192_000) },
        ],
    };
    let path = make_creative(&dir.path().join("ad.mkv"), &spec);
    let ad = open(&path, &both());
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let shown = play(&*ad, &both(), (25, 1), Rect { x: 0, y: 0, width: 320, height: 240 });
    assert_eq!(shown.len(), 100);
    assert!(shown.iter().all(|seen| seen.unwrap().tag == 1));
    let mut all = vec![0; 2 * 192_000];
    assert_eq!(ad.samples(0, 0, &mut all, LONG), 192_000);
    assert!(all == sound_bytes(&spec.audio[0], 0, 192_000));
}

#[test]
fn a_truncated_file_plays_as_far_as_it_goes_or_fails_in_time() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    for (name, spec) in [("ad.mp4", Spec::h264_mp4(4)), ("ad.mkv", Spec::exact_mkv(4))] {
        let whole = std::fs::read(make_creative(&dir.path().join(name), &spec)).unwrap();
        for percent in [1, 5, 30, 60, 90, 99] {
            let path = dir.path().join(format!("{percent}-{name}"));
            std::fs::write(&path, &whole[..whole.len() * percent / 100]).unwrap();
            let opened = Instant::now();
            let ad = quick(path.to_str().unwrap(), &both(), 3);
            let ready = wait_ready(&*ad);
            assert!(opened.elapsed() < Duration::from_secs(30), "{percent} % of {name}: no deadline");
            match ready {
                Readiness::Failed(reason) => {
                    assert!(reason.contains(name), "{percent} % of {name}: {reason}");
                }
                _ => {
                    let shown = until_it_stops(&*ad);
                    assert!(shown.is_sorted() && shown.len() <= 100, "{percent} % of {name}: {shown:?}");
                    assert_eq!(shown.first(), Some(&0), "{percent} % of {name}");
                }
            }
        }
    }
}

/// Frame numbers until the creative ends, fails or stalls.
fn until_it_stops(ad: &dyn Creative) -> Vec<u32> {
    let format = both();
    let mut shown = Vec::new();
    while let Frame::Picture(buffer) = ad.frame(time_of(shown.len() as u64, (25, 1)), 2 * ClockTime::SECOND) {
        shown.extend(read_index(&buffer, &info(&format)).map(|seen| seen.index));
    }
    shown
}

#[test]
fn damage_in_the_middle_never_shows_a_frame_before_its_time() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("ad.mkv"), &Spec::exact_mkv(4));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 2000] {
        *byte ^= 0x5A;
    }
    std::fs::write(&path, bytes).unwrap();
    let ad = quick(path.to_str().unwrap(), &both(), 10);
    if wait_ready(&*ad) == Readiness::Ready {
        let mut n = 0u64;
        while let Frame::Picture(buffer) = ad.frame(time_of(n, (25, 1)), 2 * ClockTime::SECOND) {
            if let Some(seen) = read_index(&buffer, &info(&both())) {
                assert!(u64::from(seen.index) <= n + 1, "frame {} at {n}", seen.index);
            }
            n += 1;
            assert!(n < 200);
        }
    }
}

/// A server that takes a connection, says what it is given, and never another word. Keeps its connections open.
fn mute_server(greeting: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for connection in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &connection, &greeting);
            kept.push(connection);
        }
    });
    port
}

#[test]
fn a_server_that_never_answers_is_given_up_at_the_deadline_and_let_go() {
    common::init();
    let _alone = THREADS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let port = mute_server(Vec::new());
    let opened = Instant::now();
    let ad = quick(&format!("http://user:secret@127.0.0.1:{port}/ad.mp4?key=secret"), &both(), 4);
    assert!(opened.elapsed() < Duration::from_secs(3), "opening never blocks");
    let reason = failure(&*ad);
    assert!(opened.elapsed() >= Duration::from_secs(4));
    assert!(reason.contains("does not answer"), "{reason}");
    assert!(!reason.contains("secret"), "{reason}");
    let dropped = Instant::now();
    drop(ad);
    assert!(dropped.elapsed() < Duration::from_secs(3), "dropping never blocks");
    assert!(finish_teardowns(Duration::from_secs(30)));
}

#[test]
fn a_download_that_stalls_in_the_middle_is_held_and_not_waited_for() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("ad.mkv"), &Spec::exact_mkv(10));
    let whole = std::fs::read(&path).unwrap();
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", whole.len()).into_bytes();
    answer.extend(&whole[..whole.len() / 2]);
    let port = mute_server(answer);
    let ad = quick(&format!("http://127.0.0.1:{port}/ad.mkv"), &both(), 20);
    if gst::ElementFactory::find("souphttpsrc").is_none() {
        facialads_testkit::skip("souphttpsrc is not installed");
        return;
    }
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    let mut n = 0u64;
    let held = loop {
        let asked = Instant::now();
        match ad.frame(time_of(n, (25, 1)), 300 * ClockTime::MSECOND) {
            Frame::Picture(_) => n += 1,
            Frame::Held(buffer) => break (buffer, asked.elapsed()),
            other => panic!("{other:?} at {n}"),
        }
        assert!(n < 250, "only a half of it came");
    };
    assert!(n > 50, "{n}");
    assert!(held.1 >= Duration::from_millis(290), "it did wait as long as it was told");
    assert_eq!(u64::from(read_index(&held.0, &info(&both())).unwrap().index), n - 1);
    let mut out = vec![1; 2 * 48_000 * 10];
    let real = ad.samples(0, 0, &mut out, 300 * ClockTime::MSECOND);
    assert!(real > 48_000 && real < 480_000, "{real}");
    assert!(out[real * 2..].iter().all(|byte| *byte == 0), "silence for what has not come");
    assert_eq!(ad.samples(0, 475_000, &mut out[..20], ClockTime::ZERO), 0, "no waiting in a live pipeline");
}

#[test]
fn cancelling_wakes_everybody_who_waits() {
    common::init();
    let port = mute_server(Vec::new());
    let ad = quick(&format!("http://127.0.0.1:{port}/ad.mp4"), &both(), 600);
    std::thread::scope(|scope| {
        let video = scope.spawn(|| ad.frame(ClockTime::ZERO, 600 * ClockTime::SECOND));
        let audio = scope.spawn(|| ad.samples(0, 0, &mut [0; 100], 600 * ClockTime::SECOND));
        ad.cancel();
        assert!(matches!(video.join().unwrap(), Frame::Failed(_)));
        assert_eq!(audio.join().unwrap(), 0);
    });
    assert!(matches!(ad.frame(ClockTime::ZERO, 600 * ClockTime::SECOND), Frame::Failed(_)), "at once");
    assert!(matches!(ad.readiness(), Readiness::Failed(_)));
}

/// The tests that count threads run one at a time.
static THREADS: Mutex<()> = Mutex::new(());

fn ad_threads() -> Vec<String> {
    let ours = ["ad-open", "ad-teardown"];
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| ours.contains(&name.as_str()))
        .collect()
}

fn open_and_drop(paths: &[&Path]) {
    for n in 0..100 {
        let ad = open(paths[n % paths.len()], &both());
        if n % 10 == 0 {
            assert_ne!(wait_ready(&*ad), Readiness::Preparing);
        }
    }
}

#[test]
fn a_hundred_creatives_opened_and_dropped_leave_no_thread_behind() {
    let alone = THREADS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // In a process of its own: other tests' pipelines come and go in this one.
    if std::env::var_os("CREATIVE_COUNTS_THREADS").is_none() {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "a_hundred_creatives_opened_and_dropped_leave_no_thread_behind",
                "--test-threads=1",
            ])
            .env("CREATIVE_COUNTS_THREADS", "1")
            .output()
            .unwrap();
        drop(alone);
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        return;
    }
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let good = make_creative(&dir.path().join("ad.mp4"), &Spec::h264_mp4(2));
    let bad = dir.path().join("bad.mp4");
    std::fs::write(&bad, vec![7; 50_000]).unwrap();
    let count = || std::fs::read_dir("/proc/self/task").unwrap().count();
    // Once, so that what lives as long as the process is there: GLib's pools, the registry's.
    open_and_drop(&[&good, &bad, &dir.path().join("gone.mp4")]);
    assert!(finish_teardowns(Duration::from_secs(120)));
    settle(&count, usize::MAX);
    let before = count();
    open_and_drop(&[&good, &bad, &dir.path().join("gone.mp4")]);
    assert!(finish_teardowns(Duration::from_secs(120)));
    settle(&count, before + 2);
    assert!(count() <= before + 2, "{before} threads have become {}: {:?}", count(), ad_threads());
    assert_eq!(ad_threads(), Vec::<String>::new());
}

/// Waits until there are at most `limit` threads, or their number has not changed for a second.
fn settle(count: &impl Fn() -> usize, limit: usize) {
    let (mut last, mut since) = (count(), Instant::now());
    let start = Instant::now();
    while (last > limit || !ad_threads().is_empty() || since.elapsed() < Duration::from_secs(1))
        && start.elapsed() < Duration::from_secs(60)
    {
        std::thread::sleep(Duration::from_millis(20));
        let now = count();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

#[test]
fn what_goes_wrong_with_one_programme_format_is_said_and_not_played() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("ad.mp4"), &Spec::h264_mp4(1));
    let broken =
        Format { video: Some(gst::Caps::builder("video/x-raw").build()), context: None, audio: vec![] };
    assert!(failure(&*open(&path, &broken)).contains("picture format cannot be used"));
    let broken =
        Format { video: None, context: None, audio: vec![gst::Caps::builder("audio/x-raw").build()] };
    assert!(failure(&*open(&path, &broken)).contains("sound format cannot be used"));
}

#[test]
fn programmes_with_odd_caps_get_their_picture_all_the_same() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let path = make_creative(&dir.path().join("ad.mp4"), &Spec::h264_mp4(1));
    let plain = video_caps("I420", 320, 240, (25, 1));
    let with = |change: &dyn Fn(&mut gst::StructureRef)| {
        let mut caps = plain.copy();
        change(caps.make_mut().structure_mut(0).unwrap());
        Format { video: Some(caps), context: None, audio: vec![] }
    };
    let cases = [
        with(&|s| s.set("multiview-mode", "mono")),
        with(&|s| s.set("interlace-mode", "interleaved")),
        with(&|s| s.remove_field("pixel-aspect-ratio")),
        with(&|s| s.set("colorimetry", "bt709")),
    ];
    for format in cases {
        let ad = open(&path, &format);
        assert_eq!(wait_ready(&*ad), Readiness::Ready, "{format:?}");
        let shown = play(&*ad, &format, (25, 1), Rect { x: 0, y: 0, width: 320, height: 240 });
        assert_eq!(
            shown.into_iter().map(|s| s.unwrap().index).collect::<Vec<_>>(),
            (0..25).collect::<Vec<_>>()
        );
    }
    // No frame rate: the creative's own frames, by their times.
    let variable = with(&|s| s.set("framerate", gst::Fraction::new(0, 1)));
    let ad = open(&path, &variable);
    assert_eq!(wait_ready(&*ad), Readiness::Ready);
    for n in 0..25 {
        let Frame::Picture(buffer) = ad.frame(time_of(n, (25, 1)), LONG) else { panic!("no picture") };
        assert_eq!(u64::from(read_index(&buffer, &info(&variable)).unwrap().index), n);
    }
}

#[test]
fn an_ad_error_reaches_no_bus_but_its_own() {
    common::init();
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.mp4");
    std::fs::write(&bad, vec![7; 50_000]).unwrap();
    let pipeline = gst::Pipeline::new();
    let bus = gst::prelude::ElementExt::bus(&pipeline).unwrap();
    let ad = open(&bad, &both());
    assert!(!failure(&*ad).is_empty());
    drop(ad);
    assert!(bus.pop().is_none());
}
