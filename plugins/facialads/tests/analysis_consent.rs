//! From a viewer's grant to a face on a buffer and back to nothing, through `consentgate` and `faceanalyze`.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_consent::{NewGrant, Notice, Purpose, Purposes, Store, wall_clock};
use gst::prelude::*;
use looking::{
    Seen, init,
    nets::{MIDDLE, Nets},
    onnx_runtime, until,
};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

fn grant(store: &Store) -> String {
    let grant = NewGrant {
        screen: "lobby".into(),
        purposes: Purposes::all().without(Purpose::Emotion),
        adult: true,
        duration: Duration::from_secs(600),
        notice: Notice { version: "1".into(), language: "en".into() },
        method: "operator".into(),
    };
    store.grant(&grant, wall_clock()).unwrap().0.reveal().to_owned()
}

/// A live camera that shows a face, and everything that came out of the pipeline so far.
fn camera(nets: &Nets, store: &Path) -> (gst::Pipeline, Arc<Mutex<Vec<Seen>>>) {
    let line = format!(
        "videotestsrc is-live=true pattern=solid-color foreground-color=0xffd0d0d0 ! video/x-raw,width=160,height=160,framerate=50/1 \
         ! consentgate screen=lobby store={} ! faceanalyze name=faces inference-interval=1 reclassify-interval=1 \
           fallback=false model={} age-gender-model={} ! appsink name=out sync=false",
        store.display(),
        nets.detector(&[MIDDLE]).display(),
        nets.age_gender().display(),
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let log = seen.clone();
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    out.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
                log.lock().unwrap().push(Seen::of(buffer));
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    pipeline.set_state(gst::State::Playing).unwrap();
    (pipeline, seen)
}

/// Waits for the gate to say that it has opened or closed.
fn gate_is(pipeline: &gst::Pipeline, open: bool) {
    let bus = pipeline.bus().unwrap();
    until("the gate", || {
        let message = bus.timed_pop(gst::ClockTime::from_mseconds(10))?;
        if let gst::MessageView::Error(error) = message.view() {
            panic!("{error:?}");
        }
        let structure = message.structure().filter(|s| s.name() == "facialads-consent")?;
        (structure.get("open") == Ok(open)).then_some(())
    });
}

#[test]
fn a_withdrawal_ends_what_was_known_and_a_new_grant_begins_with_nothing() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let path = nets.path().join("consent.db");
    let store = Store::open(&path).unwrap();
    let receipt = grant(&store);
    let (pipeline, seen) = camera(&nets, &path);
    gate_is(&pipeline, true);
    until("an age", || {
        let seen = seen.lock().unwrap();
        seen.iter().any(|s| s.faces.iter().any(|face| face.age.is_some())).then_some(())
    });
    store.withdraw(&receipt, wall_clock()).unwrap().unwrap();
    gate_is(&pipeline, false);
    let closed_at = seen.lock().unwrap().len();
    let first_epoch = seen.lock().unwrap()[0].audience.as_ref().unwrap().epoch;
    grant(&store);
    gate_is(&pipeline, true);
    until("faces under the new grant", || {
        let seen = seen.lock().unwrap();
        seen[closed_at..].iter().any(|s| s.faces.iter().any(|face| face.age.is_some())).then_some(())
    });
    pipeline.set_state(gst::State::Null).unwrap();
    let seen = seen.lock().unwrap();
    let epoch = |s: &Seen| s.audience.as_ref().map(|a| a.epoch);
    let late = seen[closed_at..].iter().filter(|s| epoch(s) == Some(first_epoch)).count();
    // The one that was between writing and pushing when the gate closed; it says by its epoch that it is worth nothing.
    assert!(late <= 1, "{late} buffers of the old epoch after the gate had closed");
    let after: Vec<&Seen> = seen[closed_at..].iter().filter(|s| epoch(s) != Some(first_epoch)).collect();
    assert!(after.iter().all(|s| epoch(s).is_none_or(|new| new > first_epoch)));
    let ids = |seen: &[&Seen]| -> Vec<i32> {
        let mut ids: Vec<i32> = seen.iter().flat_map(|s| &s.faces).map(|face| face.id).collect();
        ids.dedup();
        ids
    };
    let before: Vec<&Seen> = seen[..closed_at].iter().collect();
    assert!(ids(&after).iter().all(|id| !ids(&before).contains(id)), "an id was used again");
    let newcomer = after.iter().find(|s| !s.faces.is_empty()).unwrap();
    assert!(newcomer.faces[0].age.is_none(), "nothing is remembered of before");
}

#[test]
fn with_nobodys_consent_nothing_comes_through_and_nothing_is_run() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let path = nets.path().join("consent.db");
    drop(Store::open(&path).unwrap());
    let (pipeline, seen) = camera(&nets, &path);
    let gate = pipeline
        .iterate_elements()
        .into_iter()
        .flatten()
        .find(|e| e.factory().is_some_and(|factory| factory.name() == "consentgate"));
    let gate = gate.unwrap();
    until("dropped buffers", || {
        let dropped = gate.property::<gst::Structure>("stats").get::<u64>("dropped").unwrap();
        (dropped > 10).then_some(())
    });
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(seen.lock().unwrap().is_empty());
    let stats = pipeline.by_name("faces").unwrap().property::<gst::Structure>("stats");
    assert_eq!((stats.get("inference-calls"), stats.get("frames")), (Ok(0u64), Ok(0u64)));
}
