//! What GStreamer's own analytics elements find on our buffers, and what we find on theirs.

#![cfg(feature = "v1_24")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_meta::{
    Age, Attention, Detection, Emotion, Face, Gender, Label, Subject, SubjectClass, detection, face, strip,
};
use gst::glib::Quark;
use gst_analytics::*;
use gst_video::VideoRegionOfInterestMeta;

fn init() {
    gst::init().unwrap();
    facialads_meta::init();
}

fn buffer() -> gst::Buffer {
    gst::Buffer::with_size(64).unwrap()
}

fn viewer(id: i32, x: u32) -> Face {
    let by = String::new;
    Face {
        id,
        x,
        y: 24,
        width: 64,
        height: 48,
        confidence: 0.75,
        model: "yunet".into(),
        age: Some(Age { years: 33.6, low: 28.0, high: 39.0, confidence: 0.5, model: by() }),
        gender: Some(Label { value: Gender::Female, confidence: 0.875, model: by() }),
        emotion: Some(Label { value: Emotion::Unknown, confidence: 0.25, model: by() }),
        attention: Some(Attention {
            facing: None,
            dwell: gst::ClockTime::from_mseconds(1500),
            attention: None,
            yaw: None,
            pitch: None,
        }),
    }
}

fn subject(classes: &[(&str, f64)]) -> Subject {
    let class = |(name, confidence): &(&str, f64)| SubjectClass {
        id: "1".into(),
        name: (*name).into(),
        confidence: *confidence,
    };
    Subject {
        taxonomy: "iab-content-3.1".into(),
        classes: classes.iter().map(class).collect(),
        shot: 0,
        shot_start: gst::ClockTime::ZERO,
        safety: Vec::new(),
    }
}

/// Everything in the relation meta in words, one line a detection, then what belongs to none.
fn told(buffer: &gst::BufferRef) -> Vec<String> {
    let metas: Vec<_> = buffer.iter_meta::<AnalyticsRelationMeta>().collect();
    assert!(metas.len() <= 1, "one relation meta a buffer");
    let Some(meta) = metas.first() else { return Vec::new() };
    let classes = |c: &AnalyticsMtdRef<'_, AnalyticsClassificationMtd>| {
        let classes: Vec<_> =
            c.iterate().map(|(class, level)| format!("{}={level}", class.as_str())).collect();
        classes.join("+")
    };
    let mut lines: Vec<String> = meta
        .iter::<AnalyticsODMtd>()
        .map(|found| {
            let place = found.location().unwrap();
            let label = found.obj_type().map_or("", |label| label.as_str());
            let mut line =
                format!("{label} {},{} {}x{} {}", place.x, place.y, place.w, place.h, place.loc_conf_lvl);
            for track in meta.iter_direct_related::<AnalyticsTrackingMtd>(found.id(), RelTypes::RELATE_TO) {
                let (id, first, last, lost) = track.info();
                line += &format!(" track {id} {}-{} {lost}", first.mseconds(), last.mseconds());
            }
            for class in meta.iter_direct_related::<AnalyticsClassificationMtd>(found.id(), RelTypes::CONTAIN)
            {
                line += &format!(" {}", classes(&class));
            }
            line
        })
        .collect();
    let alone = |id: u32| meta.iter::<AnalyticsODMtd>().all(|found| meta.relation(found.id(), id).is_empty());
    lines.extend(meta.iter::<AnalyticsClassificationMtd>().filter(|c| alone(c.id())).map(|c| classes(&c)));
    lines
}

const ONE: &str = "face 32,24 64x48 0.75 track 7 500-2000 false age-25-34=0.5 female=0.875";
const TWO: &str = "face 200,24 64x48 0.75 track 8 500-2000 false age-25-34=0.5 female=0.875";

fn attach(face: &Face, buffer: &mut gst::BufferRef) {
    face.attach_at(buffer, 640, 480, Some(gst::ClockTime::from_seconds(2)));
}

#[test]
fn faces_tracks_attributes_and_the_subject_are_in_one_relation_meta() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    attach(&viewer(7, 32), buffer);
    subject(&[("Cycling", 0.5), ("Travel", 0.25)]).attach(buffer);
    attach(&viewer(8, 200), buffer);
    assert_eq!(told(buffer), [ONE, TWO, "Cycling=0.5+Travel=0.25"], "an unknown emotion is left out");
    assert_eq!(Face::read(buffer), [viewer(7, 32), viewer(8, 200)], "and in the regions all the same");
}

#[test]
fn a_face_without_a_time_has_none_and_nobody_panics() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    viewer(7, 32).attach(buffer, 640, 480);
    VideoRegionOfInterestMeta::add(buffer, "car", (0, 0, 9, 9));
    assert_eq!(detection::read(buffer, "face").len(), 1);
    let meta = buffer.meta::<AnalyticsRelationMeta>().unwrap();
    assert_eq!(meta.iter::<AnalyticsTrackingMtd>().count(), 1);
    drop(meta);
    let mut meta = buffer.meta_mut::<AnalyticsRelationMeta>().unwrap();
    meta.add_od_mtd(Quark::from_str("car"), 0, 0, 9, 9, 0.5).unwrap();
    drop(meta);
    face::remove_all(buffer);
    assert_eq!(told(buffer), ["car 0,0 9x9 0.5"]);
}

#[test]
fn a_region_has_the_number_of_its_detection_as_dl_streamer_pairs_them() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    subject(&[("Cycling", 0.5)]).attach(buffer);
    attach(&viewer(7, 32), buffer);
    attach(&viewer(8, 200), buffer);
    let numbers: Vec<_> = buffer
        .meta::<AnalyticsRelationMeta>()
        .unwrap()
        .iter::<AnalyticsODMtd>()
        .map(|d| d.id() as i32)
        .collect();
    let regions: Vec<_> = buffer.iter_meta::<VideoRegionOfInterestMeta>().map(|r| r.id()).collect();
    assert_eq!(regions, numbers);
    let tracks: Vec<_> = Face::read(buffer).iter().map(|face| face.id).collect();
    assert_eq!(tracks, [7, 8], "the track is in the structure object_id");
}

#[test]
fn a_copy_of_the_buffer_has_it_all() {
    init();
    let mut buffer = buffer();
    attach(&viewer(7, 32), buffer.make_mut());
    let copy = buffer.copy_deep().unwrap();
    assert_eq!(told(&copy), [ONE]);
}

#[test]
fn faces_are_taken_out_and_what_others_found_stays_as_it_was() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    // A car with a make, both kinds in a list of class names that a detector left; somebody else's whole-frame class.
    {
        let mut meta = AnalyticsRelationMeta::add(buffer);
        let names = meta.add_cls_mtd(&[0.0, 0.0], &["car", "face"].map(Quark::from_str)).unwrap().id();
        let car = meta.add_od_mtd(Quark::from_str("car"), 1, 2, 30, 40, 0.5).unwrap().id();
        let make = meta.add_one_cls_mtd(0.25, Quark::from_str("lorry")).unwrap().id();
        meta.set_relation(RelTypes::CONTAIN, car, make).unwrap();
        meta.set_relation(RelTypes::RELATE_TO, car, names).unwrap();
        let face = meta.add_od_mtd(Quark::from_str("face"), 5, 5, 9, 9, 0.5).unwrap().id();
        meta.set_relation(RelTypes::RELATE_TO, face, names).unwrap();
        meta.add_one_cls_mtd(0.125, Quark::from_str("indoors")).unwrap();
    }
    attach(&viewer(7, 32), buffer);
    subject(&[("Cycling", 0.5)]).attach(buffer);
    face::remove_all(buffer);
    assert_eq!(told(buffer), ["car 1,2 30x40 0.5 lorry=0.25", "indoors=0.125", "Cycling=0.5"]);
    let meta = buffer.meta::<AnalyticsRelationMeta>().unwrap();
    let car = meta.iter::<AnalyticsODMtd>().next().unwrap().id();
    let names =
        meta.iter_direct_related::<AnalyticsClassificationMtd>(car, RelTypes::RELATE_TO).next().unwrap();
    assert_eq!(names.len(), 2, "the list of class names belongs to the car too");
    assert_eq!(meta.iter::<AnalyticsTrackingMtd>().count(), 0, "a face's track goes with it");
    assert_eq!(buffer.iter_meta::<VideoRegionOfInterestMeta>().count(), 0);
}

#[test]
fn where_nothing_is_left_no_relation_meta_is() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    attach(&viewer(7, 32), buffer);
    face::remove_all(buffer);
    assert!(buffer.meta::<AnalyticsRelationMeta>().is_none());
    assert_eq!(buffer.iter_meta::<gst::Meta>().count(), 0);
}

#[test]
fn strip_takes_the_whole_relation_meta() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    AnalyticsRelationMeta::add(buffer).add_od_mtd(Quark::from_str("car"), 1, 2, 30, 40, 0.5).unwrap();
    attach(&viewer(7, 32), buffer);
    subject(&[("Cycling", 0.5)]).attach(buffer);
    strip(buffer);
    assert!(buffer.meta::<AnalyticsRelationMeta>().is_none());
}

#[test]
fn a_new_subject_replaces_the_one_before() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    attach(&viewer(7, 32), buffer);
    subject(&[("Cycling", 0.5)]).attach(buffer);
    subject(&[("Travel", 0.25)]).attach(buffer);
    assert_eq!(told(buffer), [ONE, "Travel=0.25"]);
    subject(&[]).attach(buffer);
    assert_eq!(told(buffer), [ONE]);
}

#[test]
fn detections_of_others_are_found_by_label_and_each_once() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    {
        let mut meta = AnalyticsRelationMeta::add(buffer);
        for (label, x) in [("face", 10), ("car", 20), ("face", -5)] {
            meta.add_od_mtd(Quark::from_str(label), x, 0, 40, 40, 0.5).unwrap();
        }
    }
    // DL Streamer writes the first twice.
    let mut region = VideoRegionOfInterestMeta::add(buffer, "face", (10, 0, 40, 40));
    region.add_param(gst::Structure::builder("detection").field("confidence", 0.75).build());
    let at = |x, confidence| Detection { x, y: 0.0, width: 40.0, height: 40.0, confidence };
    assert_eq!(detection::read(buffer, "face"), [at(10.0, 0.75), at(-5.0, 0.5)]);
    assert_eq!(detection::read(buffer, "").len(), 3);
    detection::remove(buffer, "face");
    assert_eq!(detection::read(buffer, ""), [at(20.0, 0.5)]);
}
