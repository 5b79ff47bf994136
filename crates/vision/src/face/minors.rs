//! The minors' rule (PRIVACY.md row 6): the network can only veto, and when in doubt it does.
//!
//! Measured on 1,483 faces of FairFace with one look each: of those aged 0-19, 19 % were estimated at 21 or above, and
//! 1.5 % at 30 or above in each of eight crops. No margin means "never".

use super::constants::{DECLARED_AGE, HOLD, SETTLED_LOOKS, UNDECLARED_AGE};
use std::time::Duration;

/// What has been decided about a track.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Undecided,
    /// Passed; `without_declaration`: by the stricter rule, which satisfies both.
    Passed {
        without_declaration: bool,
    },
    /// For ever.
    Vetoed,
}

impl Standing {
    pub(super) fn passes(self, adult_declared: bool) -> bool {
        matches!(self, Self::Passed { without_declaration } if without_declaration || adult_declared)
    }

    /// Judges anew. `mean`: mean age over the track after `looks` looks; `least`: least of the eight crops of the last
    /// look in any network, where they were made. A number that is none vetoes.
    #[must_use]
    pub(super) fn judged(self, adult_declared: bool, mean: f32, looks: u32, least: Option<f32>) -> Self {
        if self == Self::Vetoed {
            return self;
        }
        match (adult_declared, least) {
            (true, _) if looks < SETTLED_LOOKS => self,
            (true, _) if mean >= DECLARED_AGE => match self {
                Self::Passed { .. } => self,
                _ => Self::Passed { without_declaration: false },
            },
            (false, None) => self,
            (false, Some(least)) if least >= UNDECLARED_AGE && mean >= DECLARED_AGE => {
                Self::Passed { without_declaration: true }
            }
            _ => Self::Vetoed,
        }
    }
}

/// Keeps the zone closed to targeting for a while. Counts running time down, so that it outlives tracks, epochs and jumps.
#[derive(Default)]
pub(super) struct Hold {
    left: Duration,
    /// The latest time seen; `None` after a jump.
    at: Option<Duration>,
}

impl Hold {
    /// A possible minor is in the zone at `now`.
    pub(super) fn renew(&mut self, now: Duration) {
        self.pass_to(now);
        self.left = HOLD;
    }

    pub(super) fn active(&mut self, now: Duration) -> bool {
        self.pass_to(now);
        !self.left.is_zero()
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        self.left
    }
    /// Goes on with what was left elsewhere.
    pub(super) fn resume(&mut self, left: Duration) {
        self.left = self.left.max(left);
        self.at = None;
    }

    /// Time will go on from somewhere else.
    pub(super) fn jump(&mut self) {
        self.at = None;
    }

    fn pass_to(&mut self, now: Duration) {
        // A worker may be a little behind the streaming thread; only what is later counts.
        if let Some(at) = self.at {
            self.left = self.left.saturating_sub(now.saturating_sub(at));
        }
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_declaration_the_settled_mean_decides() {
        let new = Standing::Undecided;
        assert!(new.judged(true, 18.0, 2, None) == Standing::Undecided);
        assert!(new.judged(true, 18.0, 3, None) == Standing::Vetoed);
        let passed = new.judged(true, 21.0, 3, None);
        assert!(passed.passes(true));
        assert!(!passed.passes(false), "the declaration was withdrawn: the stricter rule has to be met");
    }

    #[test]
    fn without_a_declaration_every_crop_must_say_thirty() {
        let new = Standing::Undecided;
        assert!(new.judged(false, 40.0, 9, None) == Standing::Undecided);
        assert!(new.judged(false, 40.0, 1, Some(29.9)) == Standing::Vetoed);
        assert!(new.judged(false, 40.0, 1, Some(30.0)).passes(false));
    }

    #[test]
    fn a_veto_is_for_ever_and_a_pass_is_not() {
        assert!(Standing::Vetoed.judged(true, 60.0, 99, Some(60.0)) == Standing::Vetoed);
        let passed = Standing::Undecided.judged(true, 30.0, 3, None);
        assert!(passed.judged(true, 20.9, 4, None) == Standing::Vetoed);
        assert!(passed.judged(true, f32::NAN, 4, None) == Standing::Vetoed);
    }

    #[test]
    fn the_hold_lasts_thirty_seconds_of_running_time_over_jumps_and_late_workers() {
        let at = Duration::from_secs;
        let mut hold = Hold::default();
        assert!(!hold.active(at(0)));
        hold.renew(at(100));
        assert!(hold.active(at(120)));
        assert!(hold.active(at(119)), "an older time changes nothing");
        hold.jump();
        assert!(hold.active(at(0)), "20 s have passed, 10 s are left");
        assert!(hold.active(at(9)));
        assert!(!hold.active(at(10)));
    }
}
