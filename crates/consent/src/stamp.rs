use crate::{Purposes, WallClock};
use std::{fmt, str::FromStr};

/// The part of the picture in which consenting viewers stand, as fractions of the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zone {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Zone {
    pub const FULL: Self = Self { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
    /// Contains no point: what a stamp becomes when the picture changed in a way that cannot be followed.
    pub const NOTHING: Self = Self { x: 0.0, y: 0.0, width: 0.0, height: 0.0 };

    /// Whether a point (fractions of the frame) lies inside. NaN lies nowhere.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        x >= self.x && y >= self.y && x < self.x + self.width && y < self.y + self.height
    }
}

/// "x,y,width,height" as fractions of the frame.
impl FromStr for Zone {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{s}\" is not a zone: write x,y,width,height as fractions of the frame, e.g. 0.25,0,0.5,1 for the \
                 middle half"
            )
        };
        let numbers: Vec<f64> =
            s.split(',').map(|n| n.trim().parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
        let &[x, y, width, height] = numbers.as_slice() else { return Err(wrong()) };
        // Written so that NaN fails too.
        let inside = |start: f64, length: f64| start >= 0.0 && length > 0.0 && start + length <= 1.0 + 1e-9;
        if inside(x, width) && inside(y, height) { Ok(Self { x, y, width, height }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.x, self.y, self.width, self.height)
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            pub fn name(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.name()) }
        }
        impl FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                match s { $($text => Ok(Self::$variant),)+ other => Err(format!(
                    concat!("\"{}\" is not one of:", $(" ", $text),+), other)) }
            }
        }
    };
}

named!(
    /// Why faces may be looked at.
    Basis {
        /// People in front of the screen who agreed.
        ViewerConsent = "viewer-consent",
        /// Faces that are part of the programme itself, under a basis that the operator has stated.
        PublishedContent = "published-content",
    }
);
named!(
    /// Where the screen stands. Emotion is never inferred at work or in education (EU AI Act, Art. 5(1)(f)).
    Site { Public = "public", Workplace = "workplace", Education = "education" }
);
named!(
    /// What happens when there are more faces in the zone than grants.
    Policy {
        /// Nobody's attributes are computed: it is unclear who agreed.
        Strict = "strict",
        /// Only as many of the largest faces as there are grants.
        Nearest = "nearest",
    }
);

/// What the gate writes on every buffer that it lets through: the strictest reading of all active grants.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp {
    /// The purposes that every active grant shares.
    pub purposes: Purposes,
    /// Number of the gate's opening. What was learned under an older epoch must be forgotten.
    pub epoch: u64,
    /// How many faces may be analysed: the number of active grants.
    pub max_faces: u32,
    /// Whether every active grant declares an adult.
    pub adult: bool,
    pub zone: Zone,
    pub basis: Basis,
    pub site: Site,
    pub policy: Policy,
    pub screen: String,
    /// When the first of the grants ends.
    pub expires: WallClock,
    /// Digests of the receipts (never the receipt ids themselves: those are the viewers' handles).
    pub receipts: Vec<String>,
}

impl Stamp {
    /// The same stamp with every permission taken away: what remains when a transform cannot be followed.
    #[must_use]
    pub fn allowing_nothing(mut self) -> Self {
        self.purposes = Purposes::NONE;
        self.max_faces = 0;
        self.adult = false;
        self.zone = Zone::NOTHING;
        self
    }
}
