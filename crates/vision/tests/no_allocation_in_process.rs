//! Once warm, a frame takes nothing from the heap from its pixels to the description of the people on it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod counting;

use common::{Picture, stamp};
use facialads_consent::wall_clock;
use facialads_vision::{
    FaceAnalyzer, FaceOptions,
    process::{Memory, Terms, Took, process},
    runtime::library_version,
};
use std::time::Duration;

/// Views of a photograph, as a camera that moves a little would have them.
fn views(photograph: &Picture) -> Vec<Picture> {
    (0..8).map(|i| photograph.crop(300 + 6 * i, 100 + 4 * i, 1280, 960)).collect()
}

#[test]
fn a_warm_frame_allocates_nothing() {
    if let Err(e) = library_version() {
        return facialads_testkit::skip(&format!("no ONNX Runtime (run `make setup`): {e}"));
    }
    if facialads_testkit::model("age-gender").is_none() || facialads_testkit::model("expression").is_none() {
        return;
    }
    let Some(photograph) = facialads_testkit::media("sample5.jpg") else { return };
    let views = views(&Picture::open(&photograph));
    let analyzer = FaceAnalyzer::new(&FaceOptions {
        // Each face is described in each frame.
        reclassify_interval: Duration::ZERO,
        seed: Some(1),
        ..FaceOptions::default()
    })
    .unwrap();
    let stamp = stamp();
    let mut memory = Memory::default();
    let (mut described, mut taken) = (0, 0);
    for (number, view) in (0..24).zip(views.iter().cycle()) {
        let frame = view.frame();
        let now = Duration::from_millis(40 * number);
        let terms = Terms { stamp: &stamp, now, wall: wall_clock(), emotion: true };
        let mut took = Took::default();
        let before = counting::allocations();
        process(&analyzer, &frame, &terms, &mut memory, &mut took).unwrap();
        let during = counting::allocations() - before;
        // Twice over all views: then everybody has been seen, everywhere.
        if number >= 16 {
            described += usize::from(took.description.is_some());
            taken += during;
        }
    }
    assert!(analyzer.count(Duration::from_millis(40 * 23)) >= 4, "the faces of the photograph are followed");
    assert!(described >= 3, "faces are described in the frames that count");
    assert_eq!(taken, 0, "allocations in eight frames, {described} of them with descriptions");
}
