//! What the tests of the analysing elements share.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod nets;

use facialads_consent::{Basis, Policy, Purposes, Site, Stamp, Zone, wall_clock};
use facialads_meta::{Audience, Face};
use gst::prelude::*;
use std::sync::Once;

pub fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstfacialads::plugin_register_static().unwrap();
    });
}

/// Whether networks can be run here at all. Said out loud where not.
pub fn onnx_runtime() -> bool {
    match facialads_vision::runtime::library_version() {
        Ok(_) => true,
        Err(e) => {
            facialads_testkit::skip(&format!("no ONNX Runtime (run `make setup`): {e}"));
            false
        }
    }
}

/// Consent of one adult to everything, anywhere in the picture, for a quarter of an hour.
pub fn stamp() -> Stamp {
    Stamp {
        purposes: Purposes::all(),
        epoch: 1,
        max_faces: 1,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "test".into(),
        expires: wall_clock() + 900 * 1_000_000_000,
        receipts: Vec::new(),
    }
}

/// An element on its own, fed and emptied by hand.
pub struct Bench {
    pub harness: gst_check::Harness,
    pub element: gst::Element,
    pub bus: gst::Bus,
    side: u32,
    frame: u64,
}

pub const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

impl Bench {
    /// Starts `element` on square RGB pictures of 160 x 160 at 25 frames a second.
    pub fn start(element: gst::Element) -> Self {
        let side = 160;
        let caps = format!("video/x-raw,format=RGB,width={side},height={side},framerate=25/1");
        Self::start_with(element, &caps, side)
    }

    pub fn start_with(element: gst::Element, caps: &str, side: u32) -> Self {
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
        harness.play();
        harness.set_src_caps_str(caps);
        Self { harness, element, bus, side, frame: 0 }
    }

    /// A picture of one grey, with the next timestamp.
    pub fn picture(&mut self, grey: u8) -> gst::Buffer {
        let mut buffer = gst::Buffer::from_mut_slice(vec![grey; (self.side * self.side * 3) as usize]);
        let reference = buffer.get_mut().unwrap();
        reference.set_pts(FRAME * self.frame);
        reference.set_duration(FRAME);
        self.frame += 1;
        buffer
    }

    /// Pushes a picture under this consent and returns what came out.
    pub fn see(&mut self, grey: u8, stamp: Option<&Stamp>) -> Seen {
        let mut buffer = self.picture(grey);
        if let Some(stamp) = stamp {
            facialads_meta::consent::attach(stamp, buffer.make_mut());
        }
        assert_eq!(self.harness.push(buffer), Ok(gst::FlowSuccess::Ok));
        Seen::of(&self.harness.pull().unwrap())
    }

    pub fn stats(&self) -> gst::Structure {
        self.element.property("stats")
    }
    pub fn count(&self, name: &str) -> u64 {
        self.stats().get(name).unwrap()
    }

    /// Element messages of this name that were posted so far.
    pub fn messages(&self, name: &str) -> Vec<gst::Structure> {
        let all = std::iter::from_fn(|| self.bus.pop_filtered(&[gst::MessageType::Element]));
        all.filter_map(|m| m.structure().map(|s| s.to_owned())).filter(|s| s.name() == name).collect()
    }

    /// Warnings posted so far: reason and words.
    pub fn warnings(&self) -> Vec<(String, String)> {
        warnings(&self.bus)
    }
}

pub fn warnings(bus: &gst::Bus) -> Vec<(String, String)> {
    std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning]))
        .map(|message| {
            let gst::MessageView::Warning(warning) = message.view() else { unreachable!() };
            let reason = warning.details().and_then(|d| d.get::<String>("reason").ok());
            (reason.unwrap_or_default(), warning.error().to_string())
        })
        .collect()
}

/// What is on a buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub pts: Option<gst::ClockTime>,
    pub faces: Vec<Face>,
    pub audience: Option<Audience>,
}

impl Seen {
    pub fn of(buffer: &gst::BufferRef) -> Self {
        Self { pts: buffer.pts(), faces: Face::read(buffer), audience: Audience::read(buffer) }
    }
    pub fn nothing(&self) -> bool {
        self.faces.is_empty() && self.audience.is_none()
    }
}

/// Waits for something that another thread will do; a minute is for slow machines, not for the normal case.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < end, "waited a minute for {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
