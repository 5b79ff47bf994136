//! Who meets whom: callers on threads of their own bring pictures, and one of them runs them all.
//!
//! The first to come leads. It waits until the batch is full, until everybody who shares the network has come, or until the
//! first of those who came has waited long enough; then for its turn, during which others may still join. Batches run in the
//! order in which they became ready, so nobody is overtaken for ever. Everybody takes their own results on their own thread.

use crate::{Error, Result};
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Longest wait for others, whatever was asked for: what is learned after a withdrawal is dropped, and nobody's picture
/// should lie about in between.
pub(crate) const LONGEST_PATIENCE: Duration = Duration::from_millis(50);
/// Contents kept for the next batches.
const KEPT: usize = 4;

/// Under which terms somebody joins a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Most pictures that run together.
    pub(crate) size: usize,
    /// How long to wait for others; at most [`LONGEST_PATIENCE`] of it.
    pub(crate) patience: Duration,
}

/// What lies in a batch. Memory of it is used again.
pub(crate) trait Contents: Default + Send {
    /// Nothing of anybody stays in memory.
    fn wipe(&mut self);
}

/// Pictures of one shape run together.
pub(crate) type Shape = [usize; 3];

#[derive(Debug)]
enum Phase {
    /// Others may join.
    Open,
    Running,
    Done(Result<()>),
}

struct Gathering<C> {
    id: u64,
    shape: Shape,
    phase: Phase,
    pictures: usize,
    /// The least that anybody in it wants.
    size: usize,
    until: Instant,
    /// Callers who have not left.
    members: usize,
    contents: C,
}

struct State<C> {
    gatherings: Vec<Gathering<C>>,
    spare: Vec<C>,
    /// Who may come: they that share the network.
    seats: usize,
    next_id: u64,
    /// Turns given out, and the one that runs or may run now.
    turns: u64,
    serving: u64,
}

impl<C> State<C> {
    fn gathering(&mut self, id: u64) -> Option<&mut Gathering<C>> {
        self.gatherings.iter_mut().find(|gathering| gathering.id == id)
    }

    /// Whether nobody is left who could come.
    fn everybody_waits(&self) -> bool {
        let open = self.gatherings.iter().filter(|gathering| matches!(gathering.phase, Phase::Open));
        open.map(|gathering| gathering.members).sum::<usize>() >= self.seats
    }
}

/// The place where batches of one network come together.
pub(crate) struct Gatherer<C> {
    state: Mutex<State<C>>,
    changed: Condvar,
}

impl<C> Default for Gatherer<C> {
    fn default() -> Self {
        let state =
            State { gatherings: Vec::new(), spare: Vec::new(), seats: 0, next_id: 0, turns: 0, serving: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<C> Gatherer<C> {
    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn wait<'a>(&self, state: MutexGuard<'a, State<C>>) -> MutexGuard<'a, State<C>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody shares the network from now on, or no longer: whoever is alone is not kept waiting.
    pub(crate) fn sit_down(&self) {
        self.state().seats += 1;
    }
    pub(crate) fn stand_up(&self) {
        let mut state = self.state();
        state.seats = state.seats.saturating_sub(1);
        self.changed.notify_all();
    }
}

impl<C: Contents> Gatherer<C> {
    /// Brings `pictures` pictures and returns when `take` has had their results.
    ///
    /// `put` adds the pictures to the batch's contents, after those that are there. `lead` runs a whole batch of so many
    /// pictures if this caller turns out to lead it. `take` gets the contents after the run and the index of the caller's first
    /// picture. All three are called on this thread; `put` and
    /// `take` must be short.
    ///
    /// # Errors
    /// `lead`'s, here or in the caller that led; `take`'s.
    pub(crate) fn run(
        &self,
        shape: Shape,
        pictures: usize,
        terms: Terms,
        put: impl FnOnce(&mut C),
        lead: impl FnOnce(&mut C, usize) -> Result<()>,
        take: impl FnOnce(&mut C, usize) -> Result<()>,
    ) -> Result<()> {
        let (id, first) = self.join(shape, pictures, terms, put);
        // Left whatever happens, so that nobody waits for a thread that is gone.
        let member = Member { gatherer: self, id };
        match first {
            None => self.lead(&member, lead, take),
            Some(first) => self.follow(&member, first, take),
        }
    }

    /// Joins a batch, and gives its id and the index in it of the first picture; or opens one to lead it.
    fn join(
        &self,
        shape: Shape,
        pictures: usize,
        terms: Terms,
        put: impl FnOnce(&mut C),
    ) -> (u64, Option<usize>) {
        let now = Instant::now();
        let until = now + terms.patience.min(LONGEST_PATIENCE);
        let mut guard = self.state();
        let state = &mut *guard;
        let open = state.gatherings.iter_mut();
        for gathering in open.filter(|g| matches!(g.phase, Phase::Open) && g.shape == shape) {
            let first = gathering.pictures;
            if first + pictures <= gathering.size.min(terms.size) {
                gathering.pictures += pictures;
                gathering.size = gathering.size.min(terms.size);
                gathering.until = gathering.until.min(until);
                gathering.members += 1;
                put(&mut gathering.contents);
                self.changed.notify_all();
                return (gathering.id, Some(first));
            }
            // Its next picture would not fit either.
            gathering.until = now;
        }
        let id = state.next_id;
        state.next_id += 1;
        let mut contents = state.spare.pop().unwrap_or_default();
        put(&mut contents);
        state.gatherings.push(Gathering {
            id,
            shape,
            phase: Phase::Open,
            pictures,
            size: terms.size,
            until,
            members: 1,
            contents,
        });
        self.changed.notify_all();
        (id, None)
    }

    fn lead(
        &self,
        member: &Member<C>,
        lead: impl FnOnce(&mut C, usize) -> Result<()>,
        take: impl FnOnce(&mut C, usize) -> Result<()>,
    ) -> Result<()> {
        let id = member.id;
        let number = {
            let mut state = self.when_ready(id);
            state.turns += 1;
            state.turns - 1
        };
        // Locks when it is dropped: whoever holds the lock below lets go of it before.
        let turn = Turn { gatherer: self, id };
        let mut state = self.state();
        while state.serving != number {
            state = self.wait(state);
        }
        let Some(gathering) = state.gathering(id) else { return Err(broken_off()) };
        gathering.phase = Phase::Running;
        let (mut contents, pictures) = (std::mem::take(&mut gathering.contents), gathering.pictures);
        drop(state);
        let outcome = lead(&mut contents, pictures);
        let mut state = self.state();
        let Some(gathering) = state.gathering(id) else { return Err(broken_off()) };
        gathering.contents = contents;
        let result = match &outcome {
            Ok(()) => take(&mut gathering.contents, 0),
            Err(error) => Err(error.again()),
        };
        gathering.phase = Phase::Done(outcome);
        drop(state);
        drop(turn);
        result
    }

    /// Waits until the batch should run.
    fn when_ready(&self, id: u64) -> MutexGuard<'_, State<C>> {
        let mut state = self.state();
        loop {
            let everybody = state.everybody_waits();
            let Some(gathering) = state.gathering(id) else { return state };
            let left = gathering.until.saturating_duration_since(Instant::now());
            if everybody || left.is_zero() || gathering.pictures >= gathering.size {
                return state;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn follow(
        &self,
        member: &Member<C>,
        first: usize,
        take: impl FnOnce(&mut C, usize) -> Result<()>,
    ) -> Result<()> {
        let mut state = self.state();
        loop {
            let Some(gathering) = state.gathering(member.id) else { return Err(broken_off()) };
            match &gathering.phase {
                Phase::Done(Ok(())) => return take(&mut gathering.contents, first),
                Phase::Done(Err(error)) => return Err(error.again()),
                Phase::Open | Phase::Running => state = self.wait(state),
            }
        }
    }
}

/// Only a defect in a library can cause it.
fn broken_off() -> Error {
    Error::Inference { model: "of a batch".into(), problem: "the run was broken off".into() }
}

/// A caller in a batch.
struct Member<'a, C: Contents> {
    gatherer: &'a Gatherer<C>,
    id: u64,
}

impl<C: Contents> Drop for Member<'_, C> {
    fn drop(&mut self) {
        let mut state = self.gatherer.state();
        let Some(gathering) = state.gathering(self.id) else { return };
        gathering.members -= 1;
        if gathering.members == 0 {
            let mut contents = std::mem::take(&mut gathering.contents);
            contents.wipe();
            let id = self.id;
            state.gatherings.retain(|gathering| gathering.id != id);
            if state.spare.len() < KEPT {
                state.spare.push(contents);
            }
        }
        self.gatherer.changed.notify_all();
    }
}

/// A leader from when its batch is ready to when it is done with.
struct Turn<'a, C> {
    gatherer: &'a Gatherer<C>,
    id: u64,
}

impl<C> Drop for Turn<'_, C> {
    fn drop(&mut self) {
        let mut state = self.gatherer.state();
        state.serving += 1;
        if let Some(gathering) = state.gathering(self.id)
            && !matches!(gathering.phase, Phase::Done(_))
        {
            gathering.phase = Phase::Done(Err(broken_off()));
        }
        self.gatherer.changed.notify_all();
    }
}
