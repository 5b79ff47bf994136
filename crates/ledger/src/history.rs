//! What was played on a screen, from memory.

use facialads_campaign::CreativeRef;
use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Plays on one screen. Clones share the same memory; asking never waits for the store.
#[derive(Clone, Debug)]
pub struct History {
    screen: String,
    plays: Arc<Plays>,
}

/// Plays of all screens.
#[derive(Debug, Default)]
pub(crate) struct Plays {
    by_screen: Mutex<HashMap<String, Vec<Play>>>,
}

#[derive(Debug)]
struct Play {
    creative: CreativeRef,
    at: Timestamp,
}

impl Plays {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Play>>> {
        self.by_screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, screen: &str, creative: CreativeRef, at: Timestamp) {
        self.lock().entry(screen.to_owned()).or_default().push(Play { creative, at });
    }

    /// Forgets what no frequency cap can ask for any more.
    pub fn forget_before(&self, oldest: Timestamp) {
        let mut screens = self.lock();
        for plays in screens.values_mut() {
            plays.retain(|play| play.at >= oldest);
        }
        screens.retain(|_, plays| !plays.is_empty());
    }
}

impl History {
    pub(crate) fn new(screen: &str, plays: Arc<Plays>) -> Self {
        Self { screen: screen.to_owned(), plays }
    }
}

impl facialads_campaign::History for History {
    fn plays(&self, campaign: &str, since: Timestamp) -> u32 {
        let screens = self.plays.lock();
        let plays = screens.get(&self.screen).map_or(&[][..], Vec::as_slice);
        let count = plays.iter().filter(|p| p.creative.campaign == campaign && p.at >= since).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn last_play(&self, creative: &CreativeRef) -> Option<Timestamp> {
        let screens = self.plays.lock();
        screens.get(&self.screen)?.iter().filter(|p| p.creative == *creative).map(|p| p.at).max()
    }
}
