//! Taking parts out of a relation meta. GStreamer can only add to one, so what is to stay is copied into a new one.

use super::tracking::Tracking;
use gst::glib;
use gst_analytics::{
    AnalyticsAnyMtd, AnalyticsClassificationMtd, AnalyticsMetaRefExt, AnalyticsODMtd, AnalyticsRelationMeta,
    AnalyticsRelationMetaClassificationExt, AnalyticsRelationMetaInitParams, AnalyticsRelationMetaODExt,
    AnalyticsTrackingMtd, RelTypes,
};

/// One finding, with the number that it has in its relation meta.
pub struct Part {
    pub id: u32,
    pub what: What,
}

pub enum What {
    Detection {
        label: Option<glib::Quark>,
        place: [i32; 4],
        confidence: f32,
    },
    Tracking(Tracking),
    Classification {
        levels: Vec<f32>,
        classes: Vec<glib::Quark>,
    },
    /// A kind that this code does not know, so cannot copy.
    Other,
}

impl What {
    /// Whether this is a detection with this label; an empty label stands for all.
    pub fn is_detection_of(&self, wanted: &str) -> bool {
        match self {
            Self::Detection { label, .. } => {
                wanted.is_empty() || label.is_some_and(|label| label.as_str() == wanted)
            }
            _ => false,
        }
    }
}

/// Everything in a relation meta, and how it is related: `(from, to, how)`.
pub struct Parts {
    pub parts: Vec<Part>,
    pub relations: Vec<(u32, u32, RelTypes)>,
}

impl Parts {
    pub fn of(buffer: &gst::BufferRef) -> Option<Self> {
        let meta = buffer.meta::<AnalyticsRelationMeta>()?;
        let parts: Vec<Part> = meta
            .iter::<AnalyticsAnyMtd>()
            .map(|any| {
                let id = any.id();
                let what = if let Some(found) = meta.mtd::<AnalyticsODMtd>(id) {
                    // Only a handle without a meta has no place.
                    let place = found.location().unwrap_or_default();
                    What::Detection {
                        label: found.obj_type(),
                        place: [place.x, place.y, place.w, place.h],
                        confidence: place.loc_conf_lvl,
                    }
                } else if meta.mtd::<AnalyticsTrackingMtd>(id).is_some() {
                    What::Tracking(Tracking::read(&meta, id))
                } else if let Some(found) = meta.mtd::<AnalyticsClassificationMtd>(id) {
                    let (classes, levels) = found.iterate().unzip();
                    What::Classification { levels, classes }
                } else {
                    What::Other
                };
                Part { id, what }
            })
            .collect();
        let ids: Vec<u32> = parts.iter().map(|part| part.id).collect();
        let pairs = ids.iter().flat_map(|from| ids.iter().map(move |to| (*from, *to)));
        let relations = pairs
            .map(|(from, to)| (from, to, meta.relation(from, to)))
            .filter(|(_, _, how)| !how.is_empty())
            .collect();
        Some(Self { parts, relations })
    }

    /// Whether two findings are related in either direction.
    pub fn related(&self, one: u32, other: u32) -> bool {
        self.relations
            .iter()
            .any(|(from, to, _)| (*from, *to) == (one, other) || (*from, *to) == (other, one))
    }

    /// Puts those parts that are wanted in place of the buffer's relation meta, and none where none is wanted.
    /// Relations among them stay; parts of an unknown kind are lost, and so is the rotation of a turned box.
    pub fn replace(&self, buffer: &mut gst::BufferRef, wanted: impl Fn(&Part) -> bool) {
        super::remove_all(buffer);
        let stay: Vec<&Part> =
            self.parts.iter().filter(|part| !matches!(part.what, What::Other) && wanted(part)).collect();
        if stay.is_empty() {
            return;
        }
        let room = AnalyticsRelationMetaInitParams::new(stay.len(), 128 * stay.len());
        let mut meta = AnalyticsRelationMeta::add_full(buffer, &room);
        let mut moved = Vec::with_capacity(stay.len());
        for part in stay {
            // Adding fails only where memory does; then that part is lost.
            if let Some(id) = add(&mut meta, &part.what) {
                moved.push((part.id, id));
            }
        }
        let to = |id: u32| moved.iter().find(|(old, _)| *old == id).map(|(_, new)| *new);
        for (one, other, how) in &self.relations {
            if let (Some(one), Some(other)) = (to(*one), to(*other)) {
                let _ = meta.set_relation(*how, one, other);
            }
        }
    }
}

type Meta<'a> = gst::MetaRefMut<'a, AnalyticsRelationMeta, gst::meta::Standalone>;

/// Adds a finding and returns its number.
pub fn add(meta: &mut Meta<'_>, what: &What) -> Option<u32> {
    match what {
        What::Detection { label, place: [x, y, width, height], confidence } => {
            // No label is quark 0, which the binding has no way to say: an empty one is the nearest.
            let label = label.unwrap_or_else(|| glib::Quark::from_str(""));
            Some(meta.add_od_mtd(label, *x, *y, *width, *height, *confidence).ok()?.id())
        }
        What::Tracking(track) => track.add(meta),
        What::Classification { levels, classes } => Some(meta.add_cls_mtd(levels, classes).ok()?.id()),
        What::Other => None,
    }
}
