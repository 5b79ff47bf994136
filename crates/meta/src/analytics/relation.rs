//! With the feature `v1_24`.

use super::{
    parts::{Part, Parts, What, add},
    tracking::Tracking,
};
use crate::{
    Detection, Emotion, Face, Gender, Subject, custom,
    face::{Class, ROI_TYPE},
};
use gst::glib;
use gst_analytics::{
    AnalyticsMetaRefExt, AnalyticsODMtd, AnalyticsRelationMeta, AnalyticsRelationMetaInitParams, RelTypes,
};

/// Parts of one face: itself, its track, age band, gender, emotion.
const PARTS_OF_A_FACE: usize = 5;
/// Bytes that GStreamer 1.26 needs for the largest of them, rounded up; it makes more room by itself.
const BYTES: usize = 128;

/// Adds a face to the buffer's relation meta, which is added where there is none. Returns the number of its detection
/// there. `now`: running time of the frame.
pub(crate) fn attach_face(
    buffer: &mut gst::BufferRef,
    face: &Face,
    now: Option<gst::ClockTime>,
) -> Option<i32> {
    let dwell = face.attention.as_ref().map(|attention| attention.dwell).unwrap_or_default();
    let mut meta = meta_of(buffer)?;
    let detection = add(
        &mut meta,
        &What::Detection {
            label: Some(glib::Quark::from_str(ROI_TYPE)),
            place: [face.x, face.y, face.width, face.height].map(|v| i32::try_from(v).unwrap_or(i32::MAX)),
            confidence: face.confidence as f32,
        },
    )?;
    let track = Tracking {
        id: u64::try_from(face.id).unwrap_or_default(),
        first_seen: now.map(|now| now.saturating_sub(dwell)),
        last_seen: now,
        lost: false,
    };
    if let Some(tracking) = track.add(&mut meta) {
        let _ = meta.set_relation(RelTypes::RELATE_TO, detection, tracking);
    }
    for (class, level) in classes(face) {
        let class =
            What::Classification { levels: vec![level as f32], classes: vec![glib::Quark::from_str(class)] };
        if let Some(class) = add(&mut meta, &class) {
            let _ = meta.set_relation(RelTypes::CONTAIN, detection, class);
        }
    }
    i32::try_from(detection).ok()
}

/// What is known of a face, as class and probability.
fn classes(face: &Face) -> impl Iterator<Item = (&'static str, f64)> {
    let age = face.age.as_ref().and_then(|age| Some((age.band()?, age.confidence)));
    let known = |name: &'static str, confidence: f64, unknown: bool| (!unknown).then_some((name, confidence));
    let gender =
        face.gender.as_ref().and_then(|g| known(g.value.name(), g.confidence, g.value == Gender::Unknown));
    let emotion =
        face.emotion.as_ref().and_then(|e| known(e.value.name(), e.confidence, e.value == Emotion::Unknown));
    [age, gender, emotion].into_iter().flatten()
}

/// The buffer's relation meta, which is added where there is none.
fn meta_of(
    buffer: &mut gst::BufferRef,
) -> Option<gst::MetaRefMut<'_, AnalyticsRelationMeta, gst::meta::Standalone>> {
    if buffer.meta::<AnalyticsRelationMeta>().is_none() {
        let room = AnalyticsRelationMetaInitParams::new(PARTS_OF_A_FACE, PARTS_OF_A_FACE * BYTES);
        AnalyticsRelationMeta::add_full(buffer, &room);
    }
    buffer.meta_mut::<AnalyticsRelationMeta>()
}

/// Replaces the classification that `before` left by one of the subject's classes.
pub(crate) fn attach_subject(buffer: &mut gst::BufferRef, subject: &Subject, before: Option<&Subject>) {
    if let (Some(before), Some(parts)) = (before, Parts::of(buffer)) {
        let (levels, classes) = levels_and_classes(before);
        let old = |part: &Part| matches!(&part.what, What::Classification { levels: l, classes: c } if *l == levels && *c == classes);
        if parts.parts.iter().any(old) {
            parts.replace(buffer, |part| !old(part));
        }
    }
    let (levels, classes) = levels_and_classes(subject);
    if !classes.is_empty()
        && let Some(mut meta) = meta_of(buffer)
    {
        let _ = add(&mut meta, &What::Classification { levels, classes });
    }
}

fn levels_and_classes(subject: &Subject) -> (Vec<f32>, Vec<glib::Quark>) {
    subject.classes.iter().map(|c| (c.confidence as f32, glib::Quark::from_str(c.name.as_str()))).unzip()
}

/// Detections with this label, in the order in which they were made; all where it is empty.
pub(crate) fn detections(buffer: &gst::BufferRef, label: &str) -> Vec<Detection> {
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else { return Vec::new() };
    let wanted = |found: Option<glib::Quark>| label.is_empty() || found.is_some_and(|f| f.as_str() == label);
    meta.iter::<AnalyticsODMtd>()
        .filter(|found| wanted(found.obj_type()))
        .filter_map(|found| {
            let place = found.location().ok()?;
            Some(Detection {
                x: f64::from(place.x),
                y: f64::from(place.y),
                width: f64::from(place.w),
                height: f64::from(place.h),
                confidence: f64::from(place.loc_conf_lvl),
            })
        })
        .collect()
}

/// Takes the detections with this label out, and what belongs to them alone: tracks, attributes, parts.
pub(crate) fn remove_detections(buffer: &mut gst::BufferRef, label: &str) {
    let Some(all) = Parts::of(buffer) else { return };
    let goes = |part: &Part| part.what.is_detection_of(label);
    if !all.parts.iter().any(goes) {
        return;
    }
    let belongs_to = |part: &Part, whose: &dyn Fn(&Part) -> bool| {
        all.parts.iter().any(|other| whose(other) && all.related(other.id, part.id))
    };
    all.replace(buffer, |part| match part.what {
        What::Detection { .. } => !goes(part),
        // What also belongs to a detection that stays (a list of class names, say) stays with it.
        _ => {
            let stays = |other: &Part| matches!(other.what, What::Detection { .. }) && !goes(other);
            !belongs_to(part, &goes) || belongs_to(part, &stays)
        }
    });
}

/// Takes the whole relation meta off.
pub(crate) fn remove_all(buffer: &mut gst::BufferRef) {
    custom::remove_where(buffer, |meta| meta.as_meta_ref().downcast_ref::<AnalyticsRelationMeta>().is_some());
}
