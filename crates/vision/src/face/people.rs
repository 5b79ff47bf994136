//! What is remembered of the people in view, and for how long.

use super::{
    FaceStats,
    analyzer::Allowed,
    fusion::{Demographics, Feelings},
    ids::Ids,
    minors::{Hold, SETTLED, Standing},
    tracker::{Track, Tracker},
};
use crate::{Error, Result};
use std::{cmp::Ordering, collections::HashMap, time::Duration};

/// A request whose result has not come by then is made again.
const RETRY: Duration = Duration::from_millis(250);

/// The memory of a [`super::FaceAnalyzer`].
pub(super) struct People {
    /// Oldest epoch of consent still valid.
    epoch: u64,
    /// Whether a permit was ever admitted: until then there is nothing to forget, and no result under way.
    begun: bool,
    /// Changes whenever something was forgotten: results that were being made then are thrown away.
    pub(super) generation: u64,
    pub(super) tracker: Tracker,
    persons: HashMap<i32, Person>,
    pub(super) hold: Hold,
    pub(super) stats: FaceStats,
}

/// One track's attributes.
pub(super) struct Person {
    pub(super) demographics: Demographics,
    pub(super) feelings: Feelings,
    pub(super) standing: Standing,
    /// When age and gender, and emotion, were looked at last.
    pub(super) described: Option<Duration>,
    pub(super) felt: Option<Duration>,
    pub(super) requested: Option<Duration>,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            demographics: Demographics::default(),
            feelings: Feelings::default(),
            standing: Standing::Undecided,
            described: None,
            felt: None,
            requested: None,
        }
    }
}

impl Person {
    fn drop_demographics(&mut self) {
        self.demographics = Demographics::default();
        self.described = None;
        if self.standing != Standing::Vetoed {
            self.standing = Standing::Undecided;
        }
    }

    fn drop_feelings(&mut self) {
        self.feelings = Feelings::default();
        self.felt = None;
    }

    /// Only counted from here on.
    pub(super) fn veto(&mut self) {
        self.standing = Standing::Vetoed;
        self.drop_demographics();
        self.drop_feelings();
    }

    /// Whether attributes may be told. Where age may not be estimated the minors' rule cannot be applied, and only a
    /// declaration will do.
    pub(super) fn may_be_described(&self, allowed: &Allowed) -> bool {
        match (self.standing, allowed.demographics) {
            (Standing::Vetoed, _) => false,
            (standing, Some(_)) => standing.passes(allowed.adult_declared),
            (_, None) => allowed.adult_declared,
        }
    }

    fn awaited(&self, now: Duration) -> bool {
        self.requested.is_some_and(|at| now >= at && now - at < RETRY)
    }

    pub(super) fn demographics_due(
        &self,
        track: &Track,
        allowed: &Allowed,
        interval: Duration,
        now: Duration,
    ) -> bool {
        if self.standing == Standing::Vetoed || self.awaited(now) {
            return false;
        }
        // Until the rule can be applied, each new detection is worth a look.
        let settled = self.demographics.looks >= SETTLED && self.standing.passes(allowed.adult_declared);
        due(self.described, if settled { interval } else { Duration::ZERO }, track, now)
    }

    pub(super) fn emotion_due(
        &self,
        track: &Track,
        allowed: &Allowed,
        interval: Duration,
        now: Duration,
    ) -> bool {
        self.may_be_described(allowed) && !self.awaited(now) && due(self.felt, interval, track, now)
    }
}

/// Whether a look is due: `interval` after the last one, and only if the face was detected since.
fn due(last: Option<Duration>, interval: Duration, track: &Track, now: Duration) -> bool {
    last.is_none_or(|last| now < last || (now - last >= interval && track.last_seen > last))
}

impl People {
    pub(super) fn new(ids: Ids, max_missing: Duration) -> Self {
        Self {
            epoch: 0,
            begun: false,
            generation: 0,
            tracker: Tracker::new(ids, max_missing),
            persons: HashMap::new(),
            hold: Hold::default(),
            stats: FaceStats::default(),
        }
    }

    /// Lets a permit of this epoch in: a newer one ends what was learned under older ones.
    pub(super) fn admit(&mut self, epoch: u64) -> Result<()> {
        match epoch.cmp(&self.epoch) {
            Ordering::Less => return Err(Error::Stale { given: epoch, current: self.epoch }),
            Ordering::Greater if self.begun => self.forget(),
            _ => {}
        }
        self.epoch = epoch;
        self.begun = true;
        Ok(())
    }

    /// Whether a permit of this epoch says anything about what is remembered now.
    pub(super) fn is_current(&self, epoch: u64) -> bool {
        epoch == self.epoch
    }

    pub(super) fn forget_before(&mut self, valid_from: u64) {
        if valid_from > self.epoch {
            self.forget();
            self.epoch = valid_from;
        }
    }

    /// Everything but the hold.
    pub(super) fn forget(&mut self) {
        self.generation += 1;
        self.tracker.clear();
        self.persons.clear();
    }

    /// As after starting: epochs count anew.
    pub(super) fn restart(&mut self) {
        self.forget();
        self.epoch = 0;
        self.begun = false;
        self.hold.jump();
    }

    /// Throws a result away if it was begun before something was forgotten.
    pub(super) fn still(&mut self, generation: u64) -> Result<()> {
        if generation == self.generation {
            return Ok(());
        }
        self.stats.discarded += 1;
        Err(Error::Stale { given: self.epoch.saturating_sub(1), current: self.epoch })
    }

    pub(super) fn person(&mut self, id: i32) -> &mut Person {
        self.persons.entry(id).or_default()
    }

    pub(super) fn known(&self, id: i32) -> Option<&Person> {
        self.persons.get(&id)
    }

    /// After a detection: people whose track has ended are forgotten, and the hold is renewed for those who stay.
    pub(super) fn tidy(&mut self, now: Duration) {
        let tracker = &self.tracker;
        self.persons.retain(|id, _| tracker.has(*id));
        self.renew_hold(now);
    }

    /// Whether a possible minor is in the zone at `now`; renews the hold if so.
    pub(super) fn renew_hold(&mut self, now: Duration) {
        let vetoed = |track: &Track| self.known(track.id).is_some_and(|p| p.standing == Standing::Vetoed);
        if self.tracker.alive(now).any(vetoed) {
            self.hold.renew(now);
        }
    }

    /// Tracks at `now`, largest first: the order in which a permit's limit is used up.
    pub(super) fn by_size(&self, now: Duration) -> Vec<Track> {
        let mut tracks: Vec<Track> = self.tracker.alive(now).cloned().collect();
        tracks.sort_by(|a, b| b.at(now).area().total_cmp(&a.at(now).area()).then(a.id.cmp(&b.id)));
        tracks
    }

    /// Drops the attributes of whoever may not be described now.
    pub(super) fn enforce(&mut self, allowed: &Allowed, now: Duration) {
        let (for_demographics, for_emotion) = self.limits(allowed);
        for (rank, track) in self.by_size(now).iter().enumerate() {
            let person = self.person(track.id);
            if rank >= for_demographics {
                person.drop_demographics();
            }
            if rank >= for_emotion {
                person.drop_feelings();
            }
        }
    }

    /// How many of the largest faces may be described (age and gender, emotion).
    pub(super) fn limits(&self, allowed: &Allowed) -> (usize, usize) {
        (
            allowed.demographics.filter(|p| self.is_current(p.epoch())).map_or(0, |p| p.limit()),
            allowed.emotion.filter(|p| self.is_current(p.epoch())).map_or(0, |p| p.limit()),
        )
    }
}
