//! What lives between start and stop, shared by the streaming threads and the threads that prepare creatives.

mod formats;
mod outbox;
mod playing;
mod steps;

pub(super) use outbox::Job;
pub(super) use playing::{OnAir, Playing, Prepared};

use super::{
    AdInsert, CreativeSource,
    audience::Window,
    settings::{InsertMode, Settings},
    stats,
    timeline::Timeline,
};
use facialads_campaign::{Catalogue, CreativeRef, SubjectView};
use facialads_ledger::Ledger;
use facialads_meta::event::Running;
use facialads_splice::{BreakId, Config, Cue, FrameRate, Machine, Mode, PadId, SlotId, Time, When};
use gst::glib;
use outbox::Out;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many changes of subject are remembered for decisions that are taken later.
const SUBJECTS: usize = 512;

/// What was read and opened at start-up and stays the same until the stop.
pub(super) struct Setup {
    pub settings: Settings,
    pub breaks: Vec<(Time, Option<Time>)>,
    pub catalogue: Catalogue,
    pub ledger: Option<Ledger>,
    pub source: Arc<dyn CreativeSource>,
}

pub(super) struct Session {
    element: glib::WeakRef<AdInsert>,
    pub settings: Settings,
    pub catalogue: Catalogue,
    pub ads: Vec<String>,
    pub ledger: Option<Ledger>,
    pub plays: super::records::Plays,
    pub source: Arc<dyn CreativeSource>,
    pub stats: stats::Shared,
    state: Mutex<State>,
    /// Something that a waiting thread may wait for has changed.
    changed: Condvar,
    pub audience: Mutex<Window>,
    pub audience_moved: Condvar,
}

struct AudioPad {
    id: PadId,
    caps: Option<gst::Caps>,
    gone: bool,
}

/// What was told and chosen in one break.
#[derive(Clone, Default)]
pub(super) struct BreakLog {
    /// Creatives that were shown or failed: not again in this break.
    pub used: Vec<CreativeRef>,
    /// Of the list `ads`, by index.
    pub used_ads: Vec<usize>,
    pub previous_advertiser: Option<String>,
}

pub(super) struct State {
    pub machine: Machine,
    stopped: bool,
    /// Counts changes, so that none is missed between asking and waiting.
    changes: u64,
    rate: Option<FrameRate>,
    video_caps: Option<gst::Caps>,
    /// Where these name CUDA memory, the context that the frames are in.
    context: Option<facialads_gstcuda::Context>,
    audio: Vec<AudioPad>,
    last_flush: Option<gst::Seqnum>,
    /// The cues have their place in running time.
    placed: bool,
    pub playing: HashMap<SlotId, Playing>,
    house: Option<Prepared>,
    /// Counts preparations of the house ad: only the newest is taken.
    house_turn: u64,
    /// What the programme was about, from which running time of the output on.
    subjects: VecDeque<(Time, SubjectView)>,
    /// Running time of the output that the picture has reached; `ended` when it is over.
    pub picture: Time,
    pub picture_ended: bool,
    /// What the picture last was, for key frames at splices.
    showing: Option<Option<SlotId>>,
    pub log: HashMap<BreakId, BreakLog>,
    /// Next of the list `ads`.
    pub next_ad: usize,
    /// Decisions are taken one after the other, in the order of their breaks: what one chooses counts for the next.
    tickets: u64,
    pub serving: u64,
    /// Chosen and being opened.
    pub choosing: HashMap<SlotId, CreativeRef>,
    /// Creatives that could not be shown and of which the operator was warned.
    pub warned: HashSet<String>,
    running: Running,
    outbox: VecDeque<Out>,
    carrying_out: bool,
}

impl Session {
    pub fn new(element: &AdInsert, setup: Setup) -> Self {
        let Setup { settings, breaks, catalogue, ledger, source } = setup;
        let mode = match settings.mode {
            InsertMode::Replace => Mode::Replace,
            InsertMode::Insert => Mode::Insert,
        };
        let mut machine = Machine::new(Config {
            mode,
            min_lead: settings.min_lead,
            hold_limit: settings.hold_limit,
            ..Config::default()
        });
        for (start, duration) in breaks {
            machine.cue(Cue { when: When::Stream(start), duration });
        }
        Self {
            element: glib::object::ObjectExt::downgrade(element),
            ads: settings.ads(),
            plays: super::records::Plays::new(ledger.as_ref(), settings.screen()),
            settings,
            catalogue,
            ledger,
            source,
            stats: stats::Shared::default(),
            state: Mutex::new(State {
                machine,
                stopped: false,
                changes: 0,
                rate: None,
                video_caps: None,
                context: None,
                audio: Vec::new(),
                last_flush: None,
                placed: false,
                playing: HashMap::new(),
                house: None,
                house_turn: 0,
                subjects: VecDeque::new(),
                picture: 0,
                picture_ended: false,
                showing: None,
                log: HashMap::new(),
                next_ad: 0,
                tickets: 0,
                serving: 0,
                choosing: HashMap::new(),
                warned: HashSet::new(),
                running: Running::default(),
                outbox: VecDeque::new(),
                carrying_out: false,
            }),
            changed: Condvar::new(),
            audience: Mutex::default(),
            audience_moved: Condvar::new(),
        }
    }

    pub fn element(&self) -> Option<AdInsert> {
        self.element.upgrade()
    }
    pub fn insert_mode(&self) -> bool {
        self.settings.mode == InsertMode::Insert
    }

    /// Changes the state; what follows from it is carried out before this returns, and waiting threads look again.
    pub fn change<R>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> R) -> R {
        let result = {
            let mut state = lock(&self.state);
            let result = change(&mut state);
            self.queue_actions(&mut state);
            state.changes += 1;
            result
        };
        self.changed.notify_all();
        self.carry_out();
        result
    }
    /// Only looks.
    pub fn look<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&lock(&self.state))
    }

    pub fn set_live(self: &Arc<Self>, live: bool) {
        self.stats.live.store(live, Ordering::Relaxed);
        if self.look(|s| s.machine.live()) != live {
            self.change(|s| s.machine.set_live(live));
        }
    }
    pub fn live(&self) -> bool {
        self.stats.live.load(Ordering::Relaxed)
    }

    /// A flush of any pad: one seek flushes several, and counts once.
    pub fn flush(self: &Arc<Self>, seqnum: gst::Seqnum) {
        let new = self.change(|s| {
            if s.last_flush.replace(seqnum) == Some(seqnum) {
                return false;
            }
            s.machine.flush();
            s.subjects.clear();
            s.picture = 0;
            s.picture_ended = false;
            s.placed = false;
            s.showing = None;
            s.log.clear();
            true
        });
        if new {
            // What was seen belongs to the time before the jump; the camera's own pad may never be flushed.
            lock(&self.audience).rewind();
        }
    }

    /// Where the cues lie now: in a file they are positions in it, in a live stream they are running time. The
    /// picture's timeline decides; until that is known another's stands in.
    pub fn place_cues(self: &Arc<Self>, timeline: &Timeline, picture: bool) {
        let live = self.live();
        self.change(|s| {
            if picture || !s.placed {
                s.placed = true;
                s.machine.place_streams(|cue| if live { Some(cue) } else { timeline.of_stream_time(cue) });
            }
        });
    }

    pub fn video_ended(self: &Arc<Self>) {
        self.change(|s| {
            s.machine.end_of_stream(Machine::VIDEO);
            s.picture_ended = true;
        });
        self.audience_moved.notify_all();
    }

    pub fn stop(self: &Arc<Self>) {
        self.change(|s| {
            s.machine.stop();
            s.stopped = true;
            s.house_turn += 1;
            for playing in s.playing.values() {
                playing.prepared.creative.cancel();
            }
            if let Some(house) = s.house.take() {
                s.outbox.push_back(Out::Drop(house.creative));
            }
        });
        self.wake();
        let tallied = lock(&self.audience).close_all();
        self.record_audience(tallied);
        lock(&self.audience).flush();
    }
    pub fn stopped(&self) -> bool {
        self.look(|s| s.stopped)
    }

    /// The break is cued for the next frame that all pads can make.
    pub fn start_break(self: &Arc<Self>, duration: Option<Time>) -> bool {
        let possible = !self.ads.is_empty()
            || !self.catalogue.campaigns().is_empty()
            || self.settings.house_ad().is_some();
        possible
            && self.change(|s| {
                let running = !s.stopped && !s.picture_ended && s.video_caps.is_some();
                if running {
                    s.machine.cue(Cue { when: When::Now, duration });
                }
                running
            })
    }
    pub fn end_break(self: &Arc<Self>) -> bool {
        self.change(|s| s.machine.end_break())
    }

    /// Consent ended: what was chosen on people and is not on air yet is chosen anew.
    pub fn forget_profiles(self: &Arc<Self>) {
        self.change(|s| {
            let void: Vec<_> = s
                .playing
                .iter()
                .filter(|(_, p)| p.start.is_none() && p.prepared.label.by_profile)
                .map(|(slot, _)| *slot)
                .collect();
            for slot in void {
                s.machine.redecide(slot);
            }
        });
        self.audience_moved.notify_all();
    }

    /// What the programme was about at running time `at` of the output.
    pub fn subject_at(&self, at: Time) -> Option<SubjectView> {
        self.look(|s| s.subjects.iter().rev().find(|(from, _)| *from <= at).map(|(_, v)| v.clone()))
    }
}

impl State {
    /// What was chosen and is not in the history yet.
    pub fn planned(&self) -> Vec<CreativeRef> {
        let playing = self.playing.values().filter(|p| !p.recorded).map(|p| p.prepared.label.creative_ref());
        playing.chain(self.choosing.values().cloned()).collect()
    }
    fn remember_subject(&mut self, at: Time, subject: SubjectView) {
        if self.subjects.back().is_some_and(|(_, last)| *last == subject) {
            return;
        }
        self.subjects.push_back((at, subject));
        if self.subjects.len() > SUBJECTS {
            self.subjects.pop_front();
        }
    }
    fn on_air(&self, slot: SlotId) -> Option<OnAir> {
        let playing = self.playing.get(&slot)?;
        Some(OnAir {
            creative: playing.prepared.creative.clone(),
            format: playing.prepared.format.clone(),
            pads: playing.prepared.pads.clone(),
        })
    }
}
