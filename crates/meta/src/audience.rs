//! The verdict on the people in view: how many there are, and whether an advertisement may be chosen by their profile.

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

pub fn register() {}

impl Audience {
    pub fn attach(&self, _buffer: &mut gst::BufferRef) {}
    /// `None` where there is no verdict or where it cannot be read: treat it as not permitted.
    pub fn read(_buffer: &gst::BufferRef) -> Option<Self> {
        None
    }
}

pub fn remove(_buffer: &mut gst::BufferRef) {}
