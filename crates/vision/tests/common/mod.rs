//! What the tests of this crate share.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

pub mod card;
pub mod cuda;
pub mod formats;
pub mod nets;
pub mod scene;

use facialads_consent::{
    Basis, Permit, Policy, PurposeKind, Purposes, Site, Stamp, Zone, permit, wall_clock,
};
use facialads_vision::Frame;
use std::path::Path;

/// Whether networks can run here; says so out loud where they cannot.
pub fn onnx_runtime() -> bool {
    match facialads_vision::runtime::library_version() {
        Ok(_) => true,
        Err(e) => {
            facialads_testkit::skip(&format!("no ONNX Runtime (run `make setup`): {e}"));
            false
        }
    }
}

/// Consent of ten adults to everything.
pub fn stamp() -> Stamp {
    Stamp {
        purposes: Purposes::all(),
        epoch: 1,
        max_faces: 10,
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

pub fn ask<P: PurposeKind>(stamp: &Stamp, faces: usize) -> Option<Permit<P>> {
    permit(Some(stamp), faces, wall_clock()).ok()
}

/// A decoded picture: width, height, packed RGB.
pub struct Picture(pub u32, pub u32, pub Vec<u8>);

impl Picture {
    pub fn open(path: &Path) -> Self {
        let image = image::open(path).unwrap().into_rgb8();
        Self(image.width(), image.height(), image.into_raw())
    }
    pub fn plain(width: u32, height: u32, rgb: [u8; 3]) -> Self {
        Self(width, height, rgb.repeat((width * height) as usize))
    }
    pub fn frame(&self) -> Frame<'_> {
        Frame::rgb(self.0, self.1, &self.2).unwrap()
    }
    /// A part of it.
    pub fn crop(&self, x: u32, y: u32, width: u32, height: u32) -> Self {
        let rows = (y..y + height).flat_map(|row| {
            let start = ((row * self.0 + x) * 3) as usize;
            self.2[start..start + width as usize * 3].iter().copied()
        });
        Self(width, height, rows.collect())
    }
}
