//! Consent on a buffer.
//!
//! Custom meta `FacialAdsConsentMeta`, structure fields: `purposes` uint (bits, in the order of `Purpose::ALL`),
//! `epoch` uint64, `max-faces` uint, `adult` boolean, `zone-x` `zone-y` `zone-width` `zone-height` double (fractions of
//! the frame), `basis` `site` `policy` `screen` string, `expires` uint64 (nanoseconds of wall clock), `receipts` array
//! of strings (digests), `crop` string (see [`crate::custom`]).
//!
//! After a change of the picture that cannot be followed the stamp is there still and allows nothing.

use crate::custom;
pub use facialads_consent::Stamp;
use facialads_consent::{Purposes, Zone};
use std::ffi::CStr;

/// Name of the custom meta.
pub const NAME: &str = "FacialAdsConsentMeta";
const C_NAME: &CStr = c"FacialAdsConsentMeta";

pub fn register() {
    custom::register(C_NAME, Some(allow_nothing));
}

fn allow_nothing(structure: &mut gst::StructureRef) {
    structure.set("purposes", Purposes::NONE.bits());
    structure.set("max-faces", 0_u32);
    structure.set("adult", false);
    set_zone(structure, Zone::NOTHING);
}

fn set_zone(structure: &mut gst::StructureRef, zone: Zone) {
    structure.set("zone-x", zone.x);
    structure.set("zone-y", zone.y);
    structure.set("zone-width", zone.width);
    structure.set("zone-height", zone.height);
}

/// Stamps a buffer, replacing any stamp on it.
pub fn attach(stamp: &Stamp, buffer: &mut gst::BufferRef) {
    custom::replace(buffer, NAME, |structure| {
        structure.set("purposes", stamp.purposes.bits());
        structure.set("epoch", stamp.epoch);
        structure.set("max-faces", stamp.max_faces);
        structure.set("adult", stamp.adult);
        set_zone(structure, stamp.zone);
        structure.set("basis", stamp.basis.name());
        structure.set("site", stamp.site.name());
        structure.set("policy", stamp.policy.name());
        structure.set("screen", stamp.screen.as_str());
        structure.set("expires", stamp.expires);
        structure.set("receipts", gst::Array::new(stamp.receipts.iter().map(String::as_str)));
    });
}

/// The stamp on a buffer. `None` where there is none or where it cannot be read: nothing is allowed.
pub fn read(buffer: &gst::BufferRef) -> Option<Stamp> {
    custom::find(buffer, NAME, |structure, cropped| {
        let stamp = parse(structure)?;
        Some(if cropped { stamp.allowing_nothing() } else { stamp })
    })
}

fn parse(s: &gst::StructureRef) -> Option<Stamp> {
    let text = |field: &str| s.get::<&str>(field).ok();
    let receipts = s.get::<gst::Array>("receipts").ok()?;
    Some(Stamp {
        purposes: Purposes::from_bits_truncate(s.get("purposes").ok()?),
        epoch: s.get("epoch").ok()?,
        max_faces: s.get("max-faces").ok()?,
        adult: s.get("adult").ok()?,
        zone: Zone {
            x: s.get("zone-x").ok()?,
            y: s.get("zone-y").ok()?,
            width: s.get("zone-width").ok()?,
            height: s.get("zone-height").ok()?,
        },
        basis: text("basis")?.parse().ok()?,
        site: text("site")?.parse().ok()?,
        policy: text("policy")?.parse().ok()?,
        screen: text("screen")?.to_owned(),
        expires: s.get("expires").ok()?,
        receipts: receipts.iter().map(|v| v.get::<String>().ok()).collect::<Option<_>>()?,
    })
}

pub fn remove(buffer: &mut gst::BufferRef) {
    custom::remove(buffer, NAME);
}
