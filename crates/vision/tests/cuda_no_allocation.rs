//! Once warm, a frame in a GPU's memory takes next to nothing from the heap: on the streaming thread nothing, on the worker what
//! a run of ONNX Runtime's session on a GPU takes. On the stand-ins.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod counting;

use common::{
    Picture, ask,
    card::{Card, Nv12},
    stamp,
};
use counting::allocations;
use facialads_consent::{Demographics, Emotion, Measurement};
use facialads_vision::{Allowed, Device, FaceAnalyzer, FaceOptions, View, runtime::LoadOptions};
use std::time::Duration;

/// The session that a run holds, and the shape that goes to the network's thread.
const OF_A_RUN: usize = 2;

#[test]
fn a_warm_frame_on_a_card_allocates_nothing_on_the_streaming_thread() {
    let Some(_onnx) = facialads_testkit::gpu::onnx_runtime() else { return };
    if ["yunet", "age-gender", "expression"].iter().any(|model| facialads_testkit::model(model).is_none()) {
        return;
    }
    let Some(file) = facialads_testkit::media("sample5.jpg") else { return };
    let photograph = Picture::open(&file);
    let card = Card::primary();
    let views: Vec<_> = (0..4)
        .map(|i| card.upload(Nv12::of(&photograph.crop(300 + 6 * i, 100 + 4 * i, 1280, 960))))
        .collect();
    for device in ["cuda", "cpu"] {
        let load = LoadOptions { device: device.parse::<Device>().unwrap(), ..LoadOptions::default() };
        let analyzer = FaceAnalyzer::new(&FaceOptions {
            detector: Some("yunet".into()),
            load,
            reclassify_interval: Duration::ZERO,
            seed: Some(1),
            ..FaceOptions::default()
        })
        .unwrap();
        let (mut streaming, mut worker, mut described) = (0, 0, 0);
        let mut requests = Vec::new();
        for number in 0..16 {
            let now = Duration::from_millis(40 * number);
            let frame = views[number as usize % views.len()].frame();
            let view = View::Cuda(&frame);
            let stamp = stamp();
            let permit = ask::<Measurement>(&stamp, 0).unwrap();
            let begun = allocations();
            let input = analyzer.shrink_view(&view).unwrap();
            let shrunk = allocations();
            analyzer.detect(&permit, &input, stamp.zone, now).unwrap();
            drop(input);
            let found = allocations();
            let faces = analyzer.count(now);
            let (demographics, emotion) = (ask::<Demographics>(&stamp, faces), ask::<Emotion>(&stamp, faces));
            let allowed = Allowed {
                demographics: demographics.as_ref(),
                emotion: emotion.as_ref(),
                adult_declared: true,
            };
            let due = allocations();
            analyzer.crops_due_into(&allowed, now, &mut requests);
            let crops = analyzer.cut_view(&view, &requests).unwrap();
            let cut = allocations();
            analyzer.describe(&allowed, &crops, now).unwrap();
            drop(crops);
            let end = allocations();
            if number >= 12 {
                streaming += (shrunk - begun) + (cut - due);
                worker += (found - shrunk) + (end - cut);
                described += requests.len();
            }
        }
        assert!(described >= 8, "faces are described in the frames that count");
        assert_eq!(streaming, 0, "{device}: allocations of the streaming thread in four frames");
        // Two passes and three networks.
        let most = if device == "cuda" { 4 * 5 * OF_A_RUN } else { 0 };
        println!("{device}: {worker} allocations of the worker in four frames");
        assert!(worker <= most, "{device}: {worker} allocations of the worker in four frames");
    }
}
