use super::InvalidGrant;
use crate::{Purposes, WallClock};
use std::time::Duration;

/// Longest name of a screen, in characters.
pub const MAX_SCREEN: usize = 64;
/// Longest that one grant lasts: a day. Consent to a camera in public is for now, not for good.
pub const MAX_MINUTES: u64 = 24 * 60;
/// How long a grant lasts where nobody says otherwise.
pub const DEFAULT_MINUTES: u64 = 15;

/// What a viewer agrees to, before it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Where: up to [`MAX_SCREEN`] characters.
    pub screen: String,
    pub purposes: Purposes,
    /// The viewer declared to be an adult. Asked for, never assumed.
    pub adult: bool,
    /// From now on; at least a minute, at most [`MAX_MINUTES`].
    pub duration: Duration,
    /// Which notice was shown.
    pub notice: Notice,
    /// How it was given, e.g. "operator", "qr-code".
    pub method: String,
}

/// The notice that a viewer was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub version: String,
    /// BCP 47 tag, e.g. "en" or "pt-BR".
    pub language: String,
}

impl NewGrant {
    pub(super) fn check(&self) -> Result<(), InvalidGrant> {
        check_screen(&self.screen)?;
        if self.purposes.is_empty() {
            return Err(InvalidGrant::NoPurpose);
        }
        let minute = Duration::from_secs(60);
        if self.duration < minute || self.duration > Duration::from_secs(60 * MAX_MINUTES) {
            return Err(InvalidGrant::Duration(MAX_MINUTES));
        }
        for (name, text) in [
            ("the notice's version", &self.notice.version),
            ("the notice's language", &self.notice.language),
            ("the method", &self.method),
        ] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
                return Err(InvalidGrant::Text(name));
            }
        }
        Ok(())
    }
}

/// Whether a text can name a screen.
pub fn check_screen(screen: &str) -> Result<(), InvalidGrant> {
    if screen.trim().is_empty() {
        return Err(InvalidGrant::NoScreen);
    }
    if screen.chars().count() > MAX_SCREEN {
        return Err(InvalidGrant::LongScreen(MAX_SCREEN));
    }
    if screen.chars().any(char::is_control) {
        return Err(InvalidGrant::OddScreen);
    }
    Ok(())
}

/// A grant as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Order of giving: a later grant has a higher number, whatever the clock says.
    pub number: i64,
    /// [`ReceiptId::digest`](super::ReceiptId::digest).
    pub digest: String,
    pub screen: String,
    pub purposes: Purposes,
    pub adult: bool,
    pub granted_at: WallClock,
    pub expires_at: WallClock,
    pub notice: Notice,
    pub method: String,
    pub withdrawn_at: Option<WallClock>,
}

/// Where a grant stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Active,
    Withdrawn,
    Expired,
    /// Its start lies ahead: the clock is wrong now or was wrong then.
    NotYet,
}

impl Standing {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::NotYet => "not yet valid",
        }
    }
}

/// How far clocks may disagree before they are disbelieved.
pub(crate) const CLOCK_TOLERANCE: WallClock = 1_000_000_000;

impl Grant {
    pub fn standing(&self, now: WallClock) -> Standing {
        if self.withdrawn_at.is_some() {
            Standing::Withdrawn
        } else if now >= self.expires_at {
            Standing::Expired
        } else if self.granted_at > now.saturating_add(CLOCK_TOLERANCE) {
            Standing::NotYet
        } else {
            Standing::Active
        }
    }
}
