//! What the user sets.

use gst::glib;
use std::path::PathBuf;

/// What an advertisement does to the programme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFacialAdsInsertMode")]
pub enum InsertMode {
    #[default]
    #[enum_value(name = "Cover the programme: its timestamps stay, its length stays", nick = "replace")]
    Replace,
    #[enum_value(
        name = "Push the programme back: it goes on after the break where it was (files only)",
        nick = "insert"
    )]
    Insert,
}

/// Whether the programme may be made to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFacialAdsLive")]
pub enum Live {
    #[default]
    #[enum_value(name = "Asks upstream: live as soon as one input is", nick = "auto")]
    Auto,
    #[enum_value(name = "Nothing ever waits; what is not ready at its break is skipped", nick = "yes")]
    Yes,
    #[enum_value(name = "The programme waits for its advertisements, within limits", nick = "no")]
    No,
}

pub(super) const DEFAULT_MIN_LEAD: u64 = 2_000_000_000;
pub(super) const DEFAULT_WINDOW: u64 = 5_000_000_000;
pub(super) const DEFAULT_PREROLL_TIMEOUT: u64 = 5_000_000_000;
pub(super) const DEFAULT_HOLD_LIMIT: u64 = 1_000_000_000;
pub(super) const DEFAULT_AUDIENCE_TIMEOUT: u64 = 10_000_000_000;
pub(super) const DEFAULT_SCREEN: &str = "default";

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub mode: InsertMode,
    pub breaks: Option<String>,
    pub ads: Option<String>,
    pub campaigns: Option<String>,
    pub house_ad: Option<String>,
    pub screen: Option<String>,
    pub ledger: Option<String>,
    pub min_lead: u64,
    pub window: u64,
    pub preroll_timeout: u64,
    pub hold_limit: u64,
    pub audience_timeout: u64,
    pub live: Live,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: InsertMode::default(),
            breaks: None,
            ads: None,
            campaigns: None,
            house_ad: None,
            screen: Some(DEFAULT_SCREEN.to_owned()),
            ledger: None,
            min_lead: DEFAULT_MIN_LEAD,
            window: DEFAULT_WINDOW,
            preroll_timeout: DEFAULT_PREROLL_TIMEOUT,
            hold_limit: DEFAULT_HOLD_LIMIT,
            audience_timeout: DEFAULT_AUDIENCE_TIMEOUT,
            live: Live::default(),
        }
    }
}

impl Settings {
    pub fn screen(&self) -> &str {
        self.screen.as_deref().filter(|s| !s.is_empty()).unwrap_or(DEFAULT_SCREEN)
    }
    /// Files or addresses, in the order in which they are to play.
    pub fn ads(&self) -> Vec<String> {
        list(self.ads.as_deref())
    }
    pub fn campaigns(&self) -> Vec<PathBuf> {
        list(self.campaigns.as_deref()).into_iter().map(PathBuf::from).collect()
    }
    pub fn house_ad(&self) -> Option<&str> {
        self.house_ad.as_deref().map(str::trim).filter(|uri| !uri.is_empty())
    }
}

fn list(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}
