//! The gate in real pipelines: what passes, what is told and in which order, and that every doubt closes it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_consent::{
    Basis, Grant, NewGrant, Notice, Policy, Purpose, Purposes, ReceiptId, Site, Stamp, Store, Zone,
    wall_clock,
};
use facialads_meta::{consent, event::Gate};
use gst::prelude::*;
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Far longer than anything takes: only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstfacialads::plugin_register_static().unwrap();
    });
}

/// A folder with a store, as `facialads consent` would keep it. Every call is a connection of its own.
struct Grants {
    folder: tempfile::TempDir,
}

impl Grants {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
    fn path(&self) -> PathBuf {
        self.folder.path().join("consent.db")
    }
    fn store(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }
    fn give(&self, purposes: &[Purpose], adult: bool) -> (ReceiptId, Grant) {
        let new = NewGrant {
            screen: "lobby".into(),
            purposes: purposes.iter().copied().collect(),
            adult,
            duration: Duration::from_secs(600),
            notice: Notice { version: "1".into(), language: "en".into() },
            method: "test".into(),
        };
        self.store().grant(&new, wall_clock()).unwrap()
    }
    fn give_all(&self) -> (ReceiptId, Grant) {
        self.give(&Purpose::ALL, true)
    }
    fn withdraw(&self, receipt: &ReceiptId) {
        assert!(self.store().withdraw(receipt.reveal(), wall_clock()).unwrap().is_some());
    }
    fn raw(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection
    }
}

/// What arrived behind the gate, in order.
#[derive(Clone, Debug)]
enum Seen {
    Buffer {
        stamp: Option<Stamp>,
        pts: Option<gst::ClockTime>,
        discont: bool,
    },
    Gap {
        pts: gst::ClockTime,
        duration: Option<gst::ClockTime>,
        after_caps: bool,
    },
    /// A gate event in the order of the buffers.
    Told(Gate),
    /// A gate event out of band.
    Shouted(Gate),
    Eos,
}

struct Run {
    pipeline: gst::Pipeline,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Run {
    /// `source ! consentgate screen=lobby store=… settings ! fakesink`.
    fn new(source: &str, grants: &Grants, settings: &str) -> Self {
        init();
        let line = format!(
            "{source} ! consentgate name=gate screen=lobby store=\"{}\" {settings} ! fakesink name=sink sync=false",
            grants.path().display()
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&seen);
        let pad = pipeline.by_name("sink").unwrap().static_pad("sink").unwrap();
        let types = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(types, move |pad, info| {
            let entry = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => Some(Seen::Buffer {
                    stamp: consent::read(buffer),
                    pts: buffer.pts(),
                    discont: buffer.flags().contains(gst::BufferFlags::DISCONT),
                }),
                Some(gst::PadProbeData::Event(event)) => seen_event(pad, event),
                _ => None,
            };
            theirs.lock().unwrap().extend(entry);
            gst::PadProbeReturn::Ok
        })
        .unwrap();
        Self { pipeline, seen }
    }

    fn play(self) -> Self {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        self
    }

    fn gate(&self) -> gst::Element {
        self.pipeline.by_name("gate").unwrap()
    }

    fn stats(&self) -> gst::Structure {
        self.gate().property::<gst::Structure>("stats")
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn buffers(&self) -> Vec<(Option<Stamp>, Option<gst::ClockTime>, bool)> {
        let buffer = |seen| match seen {
            Seen::Buffer { stamp, pts, discont } => Some((stamp, pts, discont)),
            _ => None,
        };
        self.seen().into_iter().filter_map(buffer).collect()
    }

    fn until(&self, what: &str, enough: impl Fn(&[Seen]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(&self.seen.lock().unwrap()) {
            assert!(Instant::now() < deadline, "still no {what}; statistics {:?}", self.stats());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the next message of the gate that is like this.
    fn message(&self, open: bool) -> gst::Structure {
        loop {
            let message = self
                .pipeline
                .bus()
                .unwrap()
                .timed_pop_filtered(
                    gst::ClockTime::from_seconds(PATIENCE.as_secs()),
                    &[gst::MessageType::Element, gst::MessageType::Error],
                )
                .unwrap_or_else(|| panic!("no message with open={open}"));
            if let gst::MessageView::Error(error) = message.view() {
                panic!("{}", error.error());
            }
            let structure = message.structure().unwrap();
            if structure.name() == "facialads-consent" && structure.get::<bool>("open") == Ok(open) {
                return structure.to_owned();
            }
        }
    }

    fn closed(&self) -> String {
        self.message(false).get("reason").unwrap()
    }

    fn to_end(&self) {
        let end = [gst::MessageType::Eos, gst::MessageType::Error];
        let patience = gst::ClockTime::from_seconds(PATIENCE.as_secs());
        let message = self.pipeline.bus().unwrap().timed_pop_filtered(patience, &end).expect("an end");
        if let gst::MessageView::Error(error) = message.view() {
            panic!("{}", error.error());
        }
    }

    fn stop(&self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn seen_event(pad: &gst::Pad, event: &gst::Event) -> Option<Seen> {
    if let Some(gate) = Gate::parse(event) {
        let in_order = event.type_() == gst::EventType::CustomDownstream;
        return Some(if in_order { Seen::Told(gate) } else { Seen::Shouted(gate) });
    }
    match event.view() {
        gst::EventView::Gap(gap) => {
            let (pts, duration) = gap.get();
            let after_caps = pad.has_current_caps() && pad.sticky_event::<gst::event::Segment>(0).is_some();
            Some(Seen::Gap { pts, duration, after_caps })
        }
        gst::EventView::Eos(_) => Some(Seen::Eos),
        _ => None,
    }
}

const FILE: &str = "videotestsrc num-buffers=10 ! video/x-raw,format=I420,width=64,height=48,framerate=25/1";
const LIVE: &str = "videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=48,framerate=100/1";

fn open_buffers(seen: &[Seen]) -> usize {
    seen.iter().filter(|s| matches!(s, Seen::Buffer { .. })).count()
}

fn shouts(seen: &[Seen], open: bool) -> usize {
    seen.iter().filter(|s| matches!(s, Seen::Shouted(gate) if gate.open == open)).count()
}

fn gaps(seen: &[Seen]) -> usize {
    seen.iter().filter(|s| matches!(s, Seen::Gap { .. })).count()
}

#[test]
fn without_a_grant_nothing_passes_and_the_pipeline_runs_to_its_end_on_gaps() {
    let grants = Grants::new();
    let run = Run::new(FILE, &grants, "").play();
    let reason = run.closed();
    assert!(reason.contains("facialads consent grant --screen \"lobby\""), "{reason}");
    run.to_end();
    assert_eq!(run.buffers(), []);
    let mut next = gst::ClockTime::ZERO;
    let mut ended = false;
    for seen in run.seen() {
        match seen {
            Seen::Gap { pts, duration, after_caps } => {
                assert_eq!((pts, after_caps), (next, true));
                next += duration.unwrap();
            }
            Seen::Eos => ended = true,
            Seen::Told(gate) | Seen::Shouted(gate) => assert!(!gate.open),
            Seen::Buffer { .. } => panic!("a buffer passed"),
        }
    }
    assert_eq!(next, gst::ClockTime::from_mseconds(400), "the gaps cover what was dropped");
    assert!(ended);
    let stats = run.stats();
    assert_eq!(stats.get::<u64>("dropped"), Ok(10));
    assert_eq!(stats.get::<u64>("passed"), Ok(0));
    assert_eq!(stats.get::<bool>("open"), Ok(false));
    assert!(stats.get::<String>("reason").unwrap().contains("consent"));
}

#[test]
fn with_a_closed_gate_the_pipeline_prerolls() {
    let grants = Grants::new();
    let run = Run::new(FILE, &grants, "");
    run.pipeline.set_state(gst::State::Paused).unwrap();
    let (result, state, _) = run.pipeline.state(gst::ClockTime::from_seconds(PATIENCE.as_secs()));
    assert_eq!((result, state), (Ok(gst::StateChangeSuccess::Success), gst::State::Paused));
}

#[test]
fn with_a_grant_every_frame_of_a_file_passes_with_the_stamp() {
    let grants = Grants::new();
    let (_, grant) = grants.give_all();
    let run = Run::new(
        FILE,
        &grants,
        "zone=0.25,0,0.5,1 policy=nearest site=education purposes=measurement+demographics",
    )
    .play();
    let message = run.message(true);
    assert_eq!(message.get::<&str>("screen"), Ok("lobby"));
    assert_eq!(message.get::<&str>("purposes"), Ok("measurement,demographics"));
    run.to_end();
    let buffers = run.buffers();
    assert_eq!(buffers.len(), 10);
    for (number, (stamp, pts, _)) in buffers.into_iter().enumerate() {
        assert_eq!(pts, Some(gst::ClockTime::from_mseconds(40 * number as u64)));
        let expected = Stamp {
            purposes: "measurement,demographics".parse().unwrap(),
            epoch: message.get("epoch").unwrap(),
            max_faces: 1,
            adult: true,
            zone: Zone { x: 0.25, y: 0.0, width: 0.5, height: 1.0 },
            basis: Basis::ViewerConsent,
            site: Site::Education,
            policy: Policy::Nearest,
            screen: "lobby".into(),
            expires: grant.expires_at,
            receipts: vec![grant.digest.clone()],
        };
        assert_eq!(stamp, Some(expected));
    }
    assert_eq!(run.stats().get::<u64>("passed"), Ok(10));
}

#[test]
fn emotion_is_not_asked_for_unless_somebody_asks() {
    let grants = Grants::new();
    grants.give_all();
    let run = Run::new(FILE, &grants, "").play();
    assert_eq!(run.message(true).get::<&str>("purposes"), Ok("measurement,demographics,personalisation"));
    let asked = Run::new(FILE, &grants, "purposes=measurement+emotion").play();
    assert_eq!(asked.message(true).get::<&str>("purposes"), Ok("measurement,emotion"));
}

#[test]
fn the_memory_of_a_frame_is_untouched_and_uncopied() {
    init();
    let grants = Grants::new();
    grants.give_all();
    let mut harness = gst_check::Harness::with_element(
        &gst::ElementFactory::make("consentgate")
            .property("screen", "lobby")
            .property("store", grants.path().to_str().unwrap())
            .build()
            .unwrap(),
        Some("sink"),
        Some("src"),
    );
    harness.set_src_caps_str("video/x-raw(memory:Odd),format=I420,width=4,height=4,framerate=1/1");
    let mut buffer = gst::Buffer::from_slice(*b"0123456789abcdefghijklmn");
    buffer.make_mut().set_pts(gst::ClockTime::ZERO);
    // A harness calls itself live, so on a busy machine the gate may close for a moment.
    let deadline = Instant::now() + PATIENCE;
    let (out, held) = loop {
        let held = buffer.clone();
        harness.push(held.clone()).unwrap();
        if let Some(out) = harness.try_pull() {
            break (out, held);
        }
        assert!(Instant::now() < deadline, "nothing passes");
    };
    assert_eq!(out.peek_memory(0).as_ptr(), held.peek_memory(0).as_ptr(), "the memory is the same");
    assert!(consent::read(&out).is_some());
    assert_eq!(consent::read(&held), None, "the stamp is on our own buffer, not on the one that others hold");
}

#[test]
fn what_comes_without_caps_is_dropped_without_a_gap() {
    init();
    let element = gst::ElementFactory::make("consentgate")
        .property("store", "/nonexistent/consent.db")
        .build()
        .unwrap();
    let sink = element.static_pad("sink").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&seen);
    let peer = gst::Pad::builder(gst::PadDirection::Sink)
        .event_function(move |_, _, event| {
            theirs.lock().unwrap().push(event.type_());
            true
        })
        .build();
    peer.set_active(true).unwrap();
    element.static_pad("src").unwrap().link(&peer).unwrap();
    element.set_state(gst::State::Playing).unwrap();
    assert!(sink.send_event(gst::event::StreamStart::new("s")));
    assert!(sink.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
    let mut buffer = gst::Buffer::with_size(4).unwrap();
    buffer.make_mut().set_pts(gst::ClockTime::ZERO);
    assert_eq!(sink.chain(buffer), Ok(gst::FlowSuccess::Ok));
    assert!(!seen.lock().unwrap().contains(&gst::EventType::Gap));
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn sound_and_anything_else_pass_as_well() {
    let grants = Grants::new();
    grants.give_all();
    let run = Run::new("audiotestsrc num-buffers=3", &grants, "").play();
    run.to_end();
    assert_eq!(run.buffers().len(), 3);
}

#[test]
fn it_opens_and_closes_in_a_live_pipeline_and_tells_everybody_in_order() {
    let grants = Grants::new();
    let run = Run::new(LIVE, &grants, "").play();
    run.closed();
    run.until("gap", |seen| gaps(seen) > 0);
    for round in 1..=3 {
        let before = open_buffers(&run.seen());
        let (receipt, _) = grants.give_all();
        run.message(true);
        run.until("buffer", |seen| open_buffers(seen) >= before + 3);
        grants.withdraw(&receipt);
        assert!(run.closed().contains("withdrawn"));
        run.until("closing", |seen| shouts(seen, false) >= round);
        let after = gaps(&run.seen());
        run.until("gap after the closing", |seen| gaps(seen) >= after + 3);
    }
    run.stop();
    assert_order(&run.seen());
    let last_told = run
        .seen()
        .into_iter()
        .filter_map(|s| if let Seen::Told(gate) = s { Some(gate) } else { None })
        .collect::<Vec<_>>();
    assert!(last_told.len() >= 7, "closed, then three times open and closed: {last_told:?}");
}

/// Epochs only grow; a buffer carries the epoch that was told last in the stream, which was told as open; and the first
/// buffer after dropped ones says that something is missing.
fn assert_order(seen: &[Seen]) {
    let (mut told, mut shouted): (Option<&Gate>, u64) = (None, 0);
    let mut dropped = false;
    for entry in seen {
        match entry {
            Seen::Told(gate) => {
                assert!(told.is_none_or(|last| last.epoch < gate.epoch), "{told:?} then {gate:?}");
                told = Some(gate);
            }
            Seen::Shouted(gate) => {
                assert!(gate.epoch > shouted, "{shouted} then {gate:?}");
                shouted = gate.epoch;
            }
            Seen::Buffer { stamp, discont, .. } => {
                let gate = told.expect("a state is told before the first buffer");
                assert!(gate.open, "a buffer after {gate:?}");
                assert_eq!(stamp.as_ref().map(|s| s.epoch), Some(gate.epoch));
                assert!(!dropped || *discont, "a hole that nobody is told about");
                dropped = false;
            }
            Seen::Gap { .. } => dropped = true,
            Seen::Eos => {}
        }
    }
}

#[test]
fn each_change_is_one_message_and_says_nothing_about_anybody() {
    let grants = Grants::new();
    let run = Run::new(LIVE, &grants, "").play();
    let mut epochs = vec![run.message(false).get::<u64>("epoch").unwrap()];
    let (receipt, grant) = grants.give_all();
    let open = run.message(true);
    epochs.push(open.get("epoch").unwrap());
    run.until("buffers", |seen| open_buffers(seen) >= 5);
    grants.withdraw(&receipt);
    let closed = run.message(false);
    epochs.push(closed.get("epoch").unwrap());
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
    for message in [open, closed] {
        let fields: Vec<_> = message.fields().map(|f| f.as_str()).collect();
        assert_eq!(fields, ["open", "epoch", "screen", "purposes", "reason"]);
        let text = message.to_string();
        assert!(!text.contains(receipt.reveal()) && !text.contains(&grant.digest));
    }
    run.until("gap", |seen| gaps(seen) > 3);
    let more = run.pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Element]);
    assert!(more.is_none(), "no message without a change: {more:?}");
}

#[test]
fn a_second_viewer_narrows_what_is_allowed_under_a_new_epoch() {
    let grants = Grants::new();
    grants.give_all();
    let run = Run::new(LIVE, &grants, "purposes=measurement+demographics+emotion+personalisation").play();
    assert_eq!(
        run.message(true).get::<&str>("purposes"),
        Ok("measurement,demographics,emotion,personalisation")
    );
    run.until("buffer of one viewer", |seen| open_buffers(seen) > 0);
    grants.give(&[Purpose::Measurement, Purpose::Emotion], false);
    assert_eq!(run.message(true).get::<&str>("purposes"), Ok("measurement,emotion"));
    let two = |seen: &[Seen]| {
        seen.iter().any(|s| matches!(s, Seen::Buffer { stamp: Some(stamp), .. } if stamp.max_faces == 2))
    };
    run.until("buffer of two viewers", two);
    run.stop();
    assert_order(&run.seen());
    for (stamp, _, _) in run.buffers() {
        let stamp = stamp.unwrap();
        let expected = if stamp.max_faces == 2 {
            ("measurement,emotion".parse::<Purposes>().unwrap(), false)
        } else {
            (Purposes::all(), true)
        };
        assert_eq!((stamp.purposes, stamp.adult), expected);
    }
}

#[test]
fn grants_that_do_not_fit_leave_it_closed() {
    let expired =
        "UPDATE grants SET granted_at = granted_at - 3600000000000, expires_at = expires_at - 3600000000000";
    let future =
        "UPDATE grants SET granted_at = granted_at + 3600000000000, expires_at = expires_at + 3600000000000";
    let cases = [
        (expired, "expired"),
        (future, "clock"),
        ("UPDATE grants SET screen = 'elsewhere'", "nobody has given consent"),
        ("UPDATE grants SET purposes = 'demographics,personalisation'", "share no purpose"),
        ("UPDATE grants SET purposes = 'measurement;demographics'", "malformed"),
        ("UPDATE grants SET adult = 2", "malformed"),
        ("UPDATE grants SET withdrawn_at = 1", "withdrawn"),
        ("PRAGMA user_version = 12", "version 12"),
        ("PRAGMA application_id = 0", "another program"),
    ];
    for (change, reason) in cases {
        let grants = Grants::new();
        grants.give_all();
        grants.raw().execute_batch(change).unwrap();
        let run = Run::new(FILE, &grants, "").play();
        let told = run.closed();
        assert!(told.contains(reason), "{change}: {told}");
        run.to_end();
        assert_eq!(run.buffers(), [], "{change}");
    }
}

#[test]
fn what_is_no_store_leaves_it_closed() {
    for (bytes, reason) in [(vec![0x55; 20_000], "damaged"), (Vec::new(), "no consent store")] {
        let grants = Grants::new();
        std::fs::write(grants.path(), bytes).unwrap();
        let run = Run::new(FILE, &grants, "").play();
        let told = run.closed();
        assert!(told.contains(reason), "{told}");
        run.to_end();
        assert_eq!(run.buffers(), []);
    }
}

#[test]
fn losing_the_store_in_the_middle_closes_it_and_a_new_one_opens_it_again() {
    type Loss = fn(&Path);
    let losses: [(&str, Loss); 3] = [
        ("taken away", |path| std::fs::remove_file(path).unwrap()),
        ("damaged", |path| {
            rusqlite::Connection::open(path)
                .unwrap()
                .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
                .unwrap();
            // Without cutting the file to nothing first, which for a moment would be a store that is not there.
            std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(&[0x55; 40_000]).unwrap();
        }),
        ("taken away or replaced", |path| {
            let other = path.with_file_name("other.db");
            drop(Store::open(&other).unwrap());
            std::fs::rename(other, path).unwrap();
        }),
    ];
    for (reason, lose) in losses {
        let grants = Grants::new();
        grants.give_all();
        let run = Run::new(LIVE, &grants, "").play();
        run.message(true);
        run.until("buffer", |seen| open_buffers(seen) > 0);
        lose(&grants.path());
        let told = run.closed();
        assert!(told.contains(reason), "{told}");
        let lost = gaps(&run.seen());
        run.until("gap", |seen| gaps(seen) > lost + 2);
        for file in ["consent.db", "consent.db-wal", "consent.db-shm"] {
            let _ = std::fs::remove_file(grants.folder.path().join(file));
        }
        let before = open_buffers(&run.seen());
        grants.give_all();
        run.message(true);
        run.until("buffer of the new store", |seen| open_buffers(seen) > before);
        run.stop();
        assert_order(&run.seen());
    }
}

#[test]
fn a_locked_store_leaves_it_closed_until_it_can_be_read() {
    let grants = Grants::new();
    grants.give_all();
    let other = grants.raw();
    other.pragma_update(None, "journal_mode", "DELETE").unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let run = Run::new(LIVE, &grants, "").play();
    let told = run.closed();
    assert!(told.contains("locked"), "{told}");
    run.until("gap", |seen| gaps(seen) > 2);
    assert_eq!(run.buffers(), []);
    other.execute_batch("ROLLBACK").unwrap();
    run.message(true);
    run.until("buffer", |seen| open_buffers(seen) > 0);
}

#[test]
fn it_closes_when_the_grant_ends() {
    let grants = Grants::new();
    grants.give_all();
    let run = Run::new(LIVE, &grants, "").play();
    run.message(true);
    run.until("buffer", |seen| open_buffers(seen) > 0);
    let soon = i64::try_from(wall_clock()).unwrap() + 300_000_000;
    grants.raw().execute("UPDATE grants SET expires_at = ?1", [soon]).unwrap();
    let told = run.closed();
    assert!(told.contains("expired"), "{told}");
    run.stop();
    for (stamp, _, _) in run.buffers() {
        assert!(stamp.is_some());
    }
    assert_order(&run.seen());
}

#[test]
fn emotion_on_a_workplace_or_education_site_refuses_to_start_and_names_the_rule() {
    for site in ["workplace", "education"] {
        let grants = Grants::new();
        grants.give_all();
        for basis in ["", "lawful-basis=published-content statement=news"] {
            let settings = format!("site={site} purposes=measurement+emotion {basis}");
            let told = refusal(&Run::new(FILE, &grants, &settings));
            assert!(told.contains("Art. 5(1)(f)") && told.contains(site), "{told}");
        }
    }
}

#[test]
fn settings_that_make_no_sense_refuse_to_start_and_say_what_to_write() {
    let grants = Grants::new();
    let long = format!("screen={}", "x".repeat(65));
    for (settings, part) in [
        ("zone=1,2", "fractions of the frame"),
        ("zone=0.5,0,0.6,1", "fractions of the frame"),
        ("purposes=demographics", "measurement"),
        ("screen=\"\"", "the screen needs a name"),
        (long.as_str(), "longer than 64"),
        ("lawful-basis=published-content", "statement"),
        ("lawful-basis=published-content statement=\"  \"", "GDPR"),
    ] {
        let told = refusal(&Run::new(FILE, &grants, settings));
        assert!(told.contains(part), "{settings}: {told}");
    }
}

fn refusal(run: &Run) -> String {
    assert!(run.pipeline.set_state(gst::State::Playing).is_err());
    let message = run.pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]).expect("an error");
    let gst::MessageView::Error(error) = message.view() else { panic!() };
    assert_eq!(run.buffers(), []);
    error.error().message().to_owned()
}

#[test]
fn published_content_passes_on_the_operators_statement_without_a_store() {
    let grants = Grants::new();
    for (purposes, expected) in [
        ("", "measurement,demographics"),
        ("purposes=measurement+demographics+personalisation", "measurement,demographics,personalisation"),
    ] {
        let settings =
            format!("lawful-basis=published-content statement=\"actors agreed, J. Doe\" {purposes}");
        let run = Run::new(FILE, &grants, &settings).play();
        assert_eq!(run.message(true).get::<&str>("purposes"), Ok(expected));
        run.to_end();
        let buffers = run.buffers();
        assert_eq!(buffers.len(), 10);
        for (stamp, _, _) in buffers {
            let stamp = stamp.unwrap();
            assert_eq!(stamp.purposes.to_string(), expected);
            assert_eq!((stamp.basis, stamp.adult, stamp.expires), (Basis::PublishedContent, false, u64::MAX));
            assert_eq!(stamp.receipts, Vec::<String>::new());
        }
        assert!(!grants.path().exists(), "no store is made");
        run.stop();
        assert_eq!(run.stats().get::<bool>("open"), Ok(false));
    }
}

#[test]
fn the_ledger_gets_every_change_and_the_operators_statement() {
    let grants = Grants::new();
    let ledger = grants.folder.path().join("ledger.db");
    let rows = || -> Vec<serde_json::Value> {
        let connection = rusqlite::Connection::open(&ledger).unwrap();
        let mut statement =
            connection.prepare("SELECT body FROM log WHERE kind = 'gate' ORDER BY seq").unwrap();
        let bodies = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        bodies.map(|body| serde_json::from_str(&body.unwrap()).unwrap()).collect()
    };
    let setting = format!("ledger=\"{}\"", ledger.display());
    drop(grants.store());
    let run = Run::new(LIVE, &grants, &setting).play();
    run.closed();
    let (receipt, grant) = grants.give_all();
    run.message(true);
    grants.withdraw(&receipt);
    run.closed();
    run.stop();
    drop(run);
    let published = format!("{setting} lawful-basis=published-content statement=\"actors agreed\"");
    let run = Run::new(FILE, &grants, &published).play();
    run.to_end();
    run.stop();
    drop(run);
    let rows = rows();
    let open: Vec<_> = rows.iter().map(|row| row["open"].as_bool().unwrap()).collect();
    assert_eq!(open, [false, true, false, true, false], "the last closing is the end of the run");
    let epochs: Vec<_> = rows.iter().map(|row| row["epoch"].as_u64().unwrap()).collect();
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
    assert_eq!(rows[1]["basis"], "viewer-consent");
    assert_eq!(rows[1]["statement"], serde_json::Value::Null);
    assert_eq!(rows[3]["basis"], "published-content");
    assert_eq!(rows[3]["statement"], "actors agreed");
    for row in rows {
        assert_eq!(row["screen"], "lobby");
        assert!(!row.to_string().contains(&grant.digest));
    }
}

#[test]
fn seeking_keeps_the_stamp_and_tells_the_state_again() {
    let grants = Grants::new();
    grants.give_all();
    let source = "videotestsrc num-buffers=1000 ! video/x-raw,width=16,height=16,framerate=25/1";
    let run = Run::new(source, &grants, "");
    run.pipeline.set_state(gst::State::Paused).unwrap();
    let patience = gst::ClockTime::from_seconds(PATIENCE.as_secs());
    run.pipeline.state(patience).0.unwrap();
    for seconds in [5, 1, 9] {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        run.pipeline.seek_simple(flags, gst::ClockTime::from_seconds(seconds)).unwrap();
        run.pipeline.state(patience).0.unwrap();
        let (stamp, pts, _) = run.buffers().pop().unwrap();
        assert_eq!(pts, Some(gst::ClockTime::from_seconds(seconds)));
        assert!(stamp.is_some());
        let told_before_buffer =
            run.seen().iter().rev().take(2).any(|s| matches!(s, Seen::Told(gate) if gate.open));
        assert!(told_before_buffer, "{:?}", run.seen().last());
    }
}

#[test]
fn starting_and_stopping_while_consent_comes_and_goes_ends_cleanly() {
    let grants = Grants::new();
    drop(grants.store());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (theirs, path) = (Arc::clone(&stop), grants.path());
    let giver = std::thread::spawn(move || {
        let store = Store::open(&path).unwrap();
        let new = NewGrant {
            screen: "lobby".into(),
            purposes: Purposes::all(),
            adult: true,
            duration: Duration::from_secs(60),
            notice: Notice { version: "1".into(), language: "en".into() },
            method: "test".into(),
        };
        while !theirs.load(std::sync::atomic::Ordering::SeqCst) {
            let (receipt, _) = store.grant(&new, wall_clock()).unwrap();
            std::thread::sleep(Duration::from_millis(15));
            store.withdraw(receipt.reveal(), wall_clock()).unwrap();
        }
    });
    let run = Run::new(LIVE, &grants, "");
    for state in [gst::State::Playing, gst::State::Ready, gst::State::Paused, gst::State::Null]
        .into_iter()
        .cycle()
        .take(40)
    {
        run.pipeline.set_state(state).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    run.stop();
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    giver.join().unwrap();
    assert_eq!(run.stats().get::<String>("reason").unwrap(), "not started");
}

#[test]
fn stopping_an_open_gate_tells_that_it_is_closed() {
    let grants = Grants::new();
    grants.give_all();
    init();
    let element = gst::ElementFactory::make("consentgate")
        .property("screen", "lobby")
        .property("store", grants.path().to_str().unwrap())
        .build()
        .unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    element.set_state(gst::State::Paused).unwrap();
    element.set_state(gst::State::Null).unwrap();
    let told: Vec<(bool, u64)> = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]))
        .map(|message| {
            let structure = message.structure().unwrap();
            (structure.get("open").unwrap(), structure.get("epoch").unwrap())
        })
        .collect();
    assert_eq!(told.iter().map(|(open, _)| *open).collect::<Vec<_>>(), [true, false]);
    assert!(told[1].1 > told[0].1);
}
