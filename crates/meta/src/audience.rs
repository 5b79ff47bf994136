//! The verdict on the people in view: how many there are, and whether an advertisement may be chosen by their profile.
//!
//! Custom meta `FacialAdsAudienceMeta`, structure fields: `epoch` uint64, `faces` uint, `targeting` string (one of
//! [`Targeting::name`]), `crop` string (see [`crate::custom`]). After a change of the picture that cannot be followed
//! it says "not permitted".

use crate::custom;
use std::ffi::CStr;

/// Name of the custom meta.
pub const NAME: &str = "FacialAdsAudienceMeta";
const C_NAME: &CStr = c"FacialAdsAudienceMeta";

/// Written by `faceanalyze` on every buffer that carried consent, also when no face was there.
#[derive(Clone, Debug, PartialEq)]
pub struct Audience {
    /// The gate's opening under which this was learned.
    pub epoch: u64,
    /// Faces in the zone now.
    pub faces: u32,
    pub targeting: Targeting,
}

/// Whether these people may be targeted by profile. Anything but `Allowed` means: choose by subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targeting {
    /// Every face in the zone has been assessed and passed.
    Allowed,
    /// Nobody is there.
    Nobody,
    /// A face has not been seen well enough yet to tell.
    Undecided,
    /// A face that may be a minor's is in the zone, or left it less than 30 s ago.
    PossibleMinor,
    /// More faces than grants, or a purpose that nobody agreed to.
    NotPermitted,
}

impl Targeting {
    pub const ALL: [Self; 5] =
        [Self::Allowed, Self::Nobody, Self::Undecided, Self::PossibleMinor, Self::NotPermitted];

    /// Spelled as it travels and as an operator reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Nobody => "nobody in view",
            Self::Undecided => "not seen long enough",
            Self::PossibleMinor => "possible minor",
            Self::NotPermitted => "not permitted",
        }
    }
}

pub fn register() {
    custom::register(C_NAME, Some(not_permitted));
}

fn not_permitted(structure: &mut gst::StructureRef) {
    structure.set("targeting", Targeting::NotPermitted.name());
}

impl Audience {
    /// Writes the verdict on a buffer, replacing any that is there.
    pub fn attach(&self, buffer: &mut gst::BufferRef) {
        custom::replace(buffer, NAME, |structure| {
            structure.set("epoch", self.epoch);
            structure.set("faces", self.faces);
            structure.set("targeting", self.targeting.name());
        });
    }

    /// `None` where there is no verdict or where it cannot be read: treat it as not permitted.
    pub fn read(buffer: &gst::BufferRef) -> Option<Self> {
        custom::find(buffer, NAME, |structure, cropped| {
            let name: &str = structure.get("targeting").ok()?;
            let targeting = Targeting::ALL.into_iter().find(|t| t.name() == name)?;
            Some(Self {
                epoch: structure.get("epoch").ok()?,
                faces: structure.get("faces").ok()?,
                targeting: if cropped { Targeting::NotPermitted } else { targeting },
            })
        })
    }
}

pub fn remove(buffer: &mut gst::BufferRef) {
    custom::remove(buffer, NAME);
}
