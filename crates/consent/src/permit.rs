use crate::{Policy, Purpose, Site, Stamp, WallClock};
use std::{fmt, marker::PhantomData};

mod sealed {
    pub trait Sealed {}
}

/// A purpose as a type, so that a function can ask for exactly the permit it needs.
pub trait PurposeKind: sealed::Sealed {
    const PURPOSE: Purpose;
}

macro_rules! kind {
    ($($name:ident),+) => { $(
        #[doc = concat!("[`Purpose::", stringify!($name), "`] as a type.")]
        #[derive(Debug)]
        pub enum $name {}
        impl sealed::Sealed for $name {}
        impl PurposeKind for $name { const PURPOSE: Purpose = Purpose::$name; }
    )+ };
}
kind!(Measurement, Demographics, Emotion, Personalisation);

/// Proof that consent was checked for purpose `P` on one buffer. Made by [`permit`] alone; neither cloned nor stored,
/// so that each frame is asked for anew.
pub struct Permit<P: PurposeKind> {
    epoch: u64,
    limit: usize,
    purpose: PhantomData<P>,
}

impl<P: PurposeKind> Permit<P> {
    /// The gate's opening under which this holds; results carry it on.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    /// How many faces, largest first, may be treated under this permit.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl<P: PurposeKind> fmt::Debug for Permit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit<{}>(epoch {}, limit {})", P::PURPOSE, self.epoch, self.limit)
    }
}

/// Why there is no permit. Says nothing about any person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no consent on this buffer")]
    NoConsent,
    #[error("consent has expired")]
    Expired,
    #[error("consent does not cover {0}")]
    Purpose(Purpose),
    #[error("emotion is never inferred on a {0} site (EU AI Act, Art. 5(1)(f))")]
    Site(Site),
    #[error("more faces in the zone than grants, so it is unclear who agreed")]
    MoreFacesThanGrants,
}

/// Asks whether `faces` people on a buffer with this stamp may be treated for purpose `P` at wall clock `now`.
///
/// Detecting and counting ([`Measurement`]) is allowed for any number of faces in the zone; everything else only while
/// there are no more faces than grants (`policy=strict`), or for as many as there are grants (`policy=nearest`).
/// Every purpose needs measurement too: nobody can be described without being detected.
pub fn permit<P: PurposeKind>(
    stamp: Option<&Stamp>,
    faces: usize,
    now: WallClock,
) -> Result<Permit<P>, Refusal> {
    let stamp = stamp.ok_or(Refusal::NoConsent)?;
    if stamp.max_faces == 0 || stamp.purposes.is_empty() {
        return Err(Refusal::NoConsent);
    }
    if now >= stamp.expires {
        return Err(Refusal::Expired);
    }
    for purpose in [Purpose::Measurement, P::PURPOSE] {
        if !stamp.purposes.contains(purpose) {
            return Err(Refusal::Purpose(purpose));
        }
    }
    if P::PURPOSE == Purpose::Emotion && stamp.site != Site::Public {
        return Err(Refusal::Site(stamp.site));
    }
    let granted = usize::try_from(stamp.max_faces).unwrap_or(usize::MAX);
    let limit = match (P::PURPOSE, stamp.policy) {
        (Purpose::Measurement, _) => usize::MAX,
        (_, Policy::Strict) if faces > granted => return Err(Refusal::MoreFacesThanGrants),
        _ => granted,
    };
    Ok(Permit { epoch: stamp.epoch, limit, purpose: PhantomData })
}
