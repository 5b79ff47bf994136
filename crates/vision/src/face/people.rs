//! What is remembered of the people in view, and for how long.

use super::{
    FaceStats,
    analyzer::Allowed,
    constants::{LONGEST_BACK_OFF, MUCH_BETTER, RETRY, SETTLED_LOOKS},
    fusion::{Demographics, Feelings},
    ids::Ids,
    minors::{Hold, Standing},
    tracker::{Track, Tracker},
};
use crate::{Error, Rect, Result};
use std::{cmp::Ordering, collections::HashMap, time::Duration};

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
    /// Width and height in pixels of the last frame that was looked at.
    pub(super) frame: Option<(f32, f32)>,
    /// Memory of [`People::ranked`].
    ranked: Vec<Ranked>,
}

/// A face in view, ready to be ranked by size: what is needed of its track, which may be large.
#[derive(Clone)]
pub(super) struct Ranked {
    pub(super) id: i32,
    /// Where it is expected, as fractions of the frame.
    pub(super) bounds: Rect,
    pub(super) points: Option<[(f32, f32); 5]>,
    last_seen: Duration,
    pub(super) in_sight: bool,
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
    /// Quality of the best view of it that was looked at, without what the picture tells.
    pub(super) best_view: f32,
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
            best_view: 0.0,
        }
    }
}

impl Person {
    fn drop_demographics(&mut self) {
        self.demographics = Demographics::default();
        self.described = None;
        self.best_view = 0.0;
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

    /// `view`: quality of the present view as far as it is known without the picture; `None`: unknown.
    pub(super) fn demographics_due(
        &self,
        face: &Ranked,
        allowed: &Allowed,
        interval: Duration,
        view: Option<f32>,
        now: Duration,
    ) -> bool {
        if self.standing == Standing::Vetoed || self.awaited(now) {
            return false;
        }
        // Until the rule can be applied, each new detection is worth a look.
        let settled =
            self.demographics.looks >= SETTLED_LOOKS && self.standing.passes(allowed.adult_declared);
        let much_better = view.is_some_and(|view| view >= MUCH_BETTER * self.best_view);
        let wait = match (settled, much_better) {
            (false, _) => Duration::ZERO,
            (true, true) => interval,
            (true, false) => interval.saturating_mul(self.back_off()),
        };
        due(self.described, wait, face, now)
    }

    /// How many times the interval to wait: more, the longer looks have agreed.
    fn back_off(&self) -> u32 {
        let doublings = self.demographics.agreeing.saturating_sub(SETTLED_LOOKS) / 2;
        1_u32.checked_shl(doublings).map_or(LONGEST_BACK_OFF, |times| times.min(LONGEST_BACK_OFF))
    }

    pub(super) fn emotion_due(
        &self,
        face: &Ranked,
        allowed: &Allowed,
        interval: Duration,
        now: Duration,
    ) -> bool {
        self.may_be_described(allowed) && !self.awaited(now) && due(self.felt, interval, face, now)
    }
}

/// Whether a look is due: `interval` after the last one, and only if the face was detected since.
fn due(last: Option<Duration>, interval: Duration, face: &Ranked, now: Duration) -> bool {
    last.is_none_or(|last| now < last || (now - last >= interval && face.last_seen > last))
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
            frame: None,
            ranked: Vec::new(),
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

    /// The same with what is needed to cut them out, and without allocating where it is handed back to
    /// [`People::done_ranking`].
    pub(super) fn ranked(&mut self, now: Duration) -> Vec<Ranked> {
        let mut ranked = std::mem::take(&mut self.ranked);
        ranked.clear();
        ranked.extend(self.tracker.alive(now).map(|track| Ranked {
            id: track.id,
            bounds: track.at(now),
            points: track.points_at(now),
            last_seen: track.last_seen,
            in_sight: self.tracker.is_in_sight(track),
        }));
        // Ids differ, so an unstable sort, which needs no memory, is as good.
        ranked.sort_unstable_by(|a, b| b.bounds.area().total_cmp(&a.bounds.area()).then(a.id.cmp(&b.id)));
        ranked
    }
    pub(super) fn done_ranking(&mut self, ranked: Vec<Ranked>) {
        self.ranked = ranked;
    }

    /// Drops the attributes of whoever may not be described now.
    pub(super) fn enforce(&mut self, allowed: &Allowed, now: Duration) {
        let (for_demographics, for_emotion) = self.limits(allowed);
        let ranked = self.ranked(now);
        for (rank, face) in ranked.iter().enumerate() {
            let person = self.person(face.id);
            if rank >= for_demographics {
                person.drop_demographics();
            }
            if rank >= for_emotion {
                person.drop_feelings();
            }
        }
        self.done_ranking(ranked);
    }

    /// How many of the largest faces may be described (age and gender, emotion).
    pub(super) fn limits(&self, allowed: &Allowed) -> (usize, usize) {
        (
            allowed.demographics.filter(|p| self.is_current(p.epoch())).map_or(0, |p| p.limit()),
            allowed.emotion.filter(|p| self.is_current(p.epoch())).map_or(0, |p| p.limit()),
        )
    }
}
