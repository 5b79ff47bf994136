//! What must hold for every programme, every set of breaks and every behaviour of the creatives.

#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_splice::{
    Action, AudioStep, Config, Cue, FrameRate, House, Machine, Mode, Next, PadId, Quartile, SECOND, SlotId,
    Source, Time, VideoStep, When, sample_time, samples,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How the preparation of one slot goes.
#[derive(Clone, Debug)]
enum Fate {
    /// So many steps of the simulation after the decision, with this length.
    Ready {
        after: u32,
        length: Time,
    },
    /// The first candidates fail, the last has this length.
    After {
        failures: usize,
        length: Time,
    },
    Fails,
    NoCandidate,
}

#[derive(Clone, Debug)]
struct World {
    mode: Mode,
    live: bool,
    rate: (i32, i32),
    audio_rates: Vec<u32>,
    seconds: u64,
    cues: Vec<(Time, Option<Time>)>,
    fates: Vec<Fate>,
    /// Which pad goes next, and how many samples an audio buffer has.
    order: Vec<(usize, u64)>,
    /// Step at which end-break is called.
    end_break: Option<usize>,
    start_break: Option<usize>,
    house: Option<Time>,
    held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Programme(u64),
    Ad(SlotId, u64),
}

#[derive(Default, Debug)]
struct Output {
    /// (time, duration, what) of each frame.
    video: Vec<(Time, Time, What)>,
    /// Per pad: (first sample's time or number, number of samples, what the first of them is).
    audio: Vec<Vec<(u64, u64, What)>>,
    actions: Vec<Action>,
}

struct Run<'a> {
    world: &'a World,
    machine: Machine,
    pads: Vec<PadId>,
    frame: u64,
    samples: Vec<u64>,
    /// Samples put out by each audio pad.
    put_out: Vec<u64>,
    jobs: VecDeque<(SlotId, u32, u32)>,
    fates: usize,
    out: Output,
}

impl<'a> Run<'a> {
    fn new(world: &'a World) -> Self {
        let mut machine = Machine::new(Config { mode: world.mode, ..Config::default() });
        machine.set_live(world.live);
        machine.set_rate(FrameRate::new(world.rate.0, world.rate.1));
        machine.set_house(world.house.map_or(House::None, House::Ready));
        for (start, duration) in &world.cues {
            machine.cue(Cue { when: When::Running(*start), duration: *duration });
        }
        let pads: Vec<_> = world.audio_rates.iter().map(|_| machine.add_audio()).collect();
        let n = pads.len();
        Self {
            world,
            machine,
            pads,
            frame: 0,
            samples: vec![0; n],
            put_out: vec![0; n],
            jobs: VecDeque::new(),
            fates: 0,
            out: Output { audio: vec![Vec::new(); n], ..Output::default() },
        }
    }

    fn rate(&self) -> FrameRate {
        FrameRate::new(self.world.rate.0, self.world.rate.1).unwrap()
    }
    fn frames(&self) -> u64 {
        self.rate().frames(self.world.seconds * SECOND)
    }

    /// One frame; `false` when the pad has to wait.
    fn video(&mut self) -> bool {
        let rate = self.rate();
        let time = rate.time(self.frame);
        match self.machine.video(time) {
            VideoStep::Wait => return false,
            VideoStep::Programme { shift } => {
                let duration = rate.time(self.frame + 1) - time;
                self.out.video.push((time + shift, duration, What::Programme(self.frame)));
                self.frame += 1;
            }
            VideoStep::Ad { slot, frame, in_break, shift, .. } => {
                assert!(!self.discarded(slot), "{slot:?} is still needed");
                let (at, next) = match self.world.mode {
                    Mode::Replace => (time, rate.time(self.frame + 1)),
                    Mode::Insert => {
                        (time + shift + rate.time(in_break), time + shift + rate.time(in_break + 1))
                    }
                };
                self.out.video.push((at, next - at, What::Ad(slot, frame)));
                self.machine.frame_left(slot, frame, self.world.held && frame > 10);
                if self.world.mode == Mode::Replace {
                    self.frame += 1;
                }
            }
        }
        true
    }

    fn audio(&mut self, pad: usize, buffer: u64) -> bool {
        let rate = self.world.audio_rates[pad];
        let total = samples(self.world.seconds * SECOND, rate);
        let mut left = buffer.min(total - self.samples[pad]);
        while left > 0 {
            let start = self.samples[pad];
            let (count, what, consumed) = match self.machine.audio(self.pads[pad], start, left, rate) {
                AudioStep::Wait => return false,
                AudioStep::Programme { samples, .. } => (samples, What::Programme(start), samples),
                AudioStep::Ad { slot, position, samples, .. } => {
                    assert!(!self.discarded(slot), "{slot:?} is still needed");
                    let consumed = if self.world.mode == Mode::Replace { samples } else { 0 };
                    (samples, What::Ad(slot, position), consumed)
                }
            };
            assert!(count > 0, "a step without samples would never end");
            self.out.audio[pad].push((self.put_out[pad], count, what));
            self.put_out[pad] += count;
            self.samples[pad] += consumed;
            left -= consumed;
        }
        true
    }

    fn actions(&mut self) {
        for action in self.machine.take_actions() {
            if let Action::Decide { slot, .. } = action {
                let wait = match self.fate(self.fates) {
                    Fate::Ready { after, .. } => after,
                    _ => 1,
                };
                self.jobs.push_back((slot, u32::try_from(self.fates).unwrap(), wait));
                self.fates += 1;
            }
            self.out.actions.push(action);
        }
    }

    fn discarded(&self, slot: SlotId) -> bool {
        self.out.actions.contains(&Action::Discard { slot })
    }

    fn fate(&self, number: usize) -> Fate {
        self.world.fates[number % self.world.fates.len()].clone()
    }

    fn jobs(&mut self) {
        for _ in 0..self.jobs.len() {
            let Some((slot, fate, wait)) = self.jobs.pop_front() else { return };
            if wait > 0 {
                self.jobs.push_back((slot, fate, wait - 1));
                continue;
            }
            match self.fate(fate as usize) {
                Fate::NoCandidate => assert_ne!(self.machine.decided(slot, 0), Next::Open(0)),
                Fate::Fails => self.fail(slot, 3, 3),
                Fate::After { failures, length } => {
                    self.fail(slot, failures + 1, failures);
                    self.machine.prepared(slot, Some(length));
                }
                Fate::Ready { length, .. } => {
                    self.machine.decided(slot, 1);
                    self.machine.prepared(slot, Some(length));
                }
            }
        }
    }

    fn fail(&mut self, slot: SlotId, of: usize, failures: usize) {
        let mut next = self.machine.decided(slot, of);
        for failure in 0..failures {
            if next == Next::Cancelled {
                return;
            }
            assert_eq!(next, Next::Open(failure));
            next = self.machine.failed(slot, facialads_splice::Reason::Creative("broken".into()));
        }
    }

    fn run(mut self) -> Output {
        let frames = self.frames();
        let mut idle = 0;
        let mut video_ended = false;
        for step in 0.. {
            let (pad, buffer) = self.world.order[step % self.world.order.len()];
            let audio_total = |pad: usize| samples(self.world.seconds * SECOND, self.world.audio_rates[pad]);
            let audio_left = (0..self.pads.len()).any(|p| self.samples[p] < audio_total(p));
            if self.frame >= frames && !video_ended {
                video_ended = true;
                self.machine.end_of_stream(Machine::VIDEO);
            }
            if video_ended && !audio_left {
                break;
            }
            if Some(step) == self.world.end_break {
                self.machine.end_break();
            }
            if Some(step) == self.world.start_break {
                self.machine.cue(Cue { when: When::Now, duration: Some(SECOND) });
            }
            let pads = self.pads.len() + 1;
            let moved = match pad % pads {
                0 if self.frame < frames => self.video(),
                0 => false,
                audio if self.samples[audio - 1] < audio_total(audio - 1) => self.audio(audio - 1, buffer),
                _ => false,
            };
            idle = if moved { 0 } else { idle + 1 };
            assert!(idle < 20_000, "nothing moves: {:?}", self.machine);
            self.actions();
            self.jobs();
        }
        self.machine.stop();
        self.actions();
        self.out
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    let length = 100_000_000u64..3 * SECOND;
    prop_oneof![
        4 => (0u32..40, length.clone()).prop_map(|(after, length)| Fate::Ready { after, length }),
        1 => (1usize..4, length).prop_map(|(failures, length)| Fate::After { failures, length }),
        1 => Just(Fate::Fails),
        1 => Just(Fate::NoCandidate),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let cue = (0u64..6 * SECOND, proptest::option::of(200_000_000u64..3 * SECOND));
    (
        prop_oneof![Just(Mode::Replace), Just(Mode::Insert)],
        any::<bool>(),
        prop_oneof![Just((25, 1)), Just((30_000, 1001)), Just((30, 1)), Just((24_000, 1001)), Just((15, 2))],
        proptest::collection::vec(prop_oneof![Just(48_000u32), Just(44_100), Just(8_000)], 0..3),
        proptest::collection::vec(cue, 0..4),
        proptest::collection::vec(fate(), 1..5),
        // Every pad comes to its turn, whatever the rest of the order is.
        proptest::collection::vec((0usize..3, 1u64..4000), 8..60).prop_map(|mut order| {
            order.extend([(0, 500), (1, 500), (2, 500)]);
            order
        }),
        proptest::option::of(0usize..600),
        proptest::option::of(0usize..600),
        proptest::option::of(200_000_000u64..2 * SECOND),
        proptest::bool::weighted(0.1),
    )
        .prop_map(
            |(mode, live, rate, audio_rates, cues, fates, order, end_break, start_break, house, held)| {
                World {
                    mode,
                    // Insertion is for files.
                    live: live && mode == Mode::Replace,
                    rate,
                    audio_rates,
                    seconds: 7,
                    cues,
                    fates,
                    order,
                    end_break,
                    start_break,
                    house,
                    held,
                }
            },
        )
}

/// Stretches of the output in which slot after slot plays, as (slot, first time, end time) of the picture.
fn picture(out: &Output) -> BTreeMap<SlotId, (Time, Time, u64)> {
    let mut slots = BTreeMap::new();
    for (time, duration, what) in &out.video {
        if let What::Ad(slot, _) = what {
            let entry = slots.entry(*slot).or_insert((*time, *time, 0));
            entry.1 = time + duration;
            entry.2 += 1;
        }
    }
    slots
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_programme_survives_everything(world in world()) {
        let out = Run::new(&world).run();
        let rate = FrameRate::new(world.rate.0, world.rate.1).unwrap();
        let frames = rate.frames(world.seconds * SECOND);

        // Time is continuous: no gap, no overlap.
        for pair in out.video.windows(2) {
            prop_assert_eq!(pair[0].0 + pair[0].1, pair[1].0);
        }
        // Frames are conserved.
        let programme: Vec<_> =
            out.video.iter().filter_map(|(_, _, w)| match w { What::Programme(n) => Some(*n), _ => None }).collect();
        prop_assert!(programme.windows(2).all(|p| p[0] < p[1]));
        let ads = out.video.len() - programme.len();
        match world.mode {
            Mode::Replace => prop_assert_eq!(out.video.len() as u64, frames),
            Mode::Insert => prop_assert_eq!(programme.len() as u64, frames),
        }
        // Samples are conserved, and each ad's are consecutive from its first on.
        for (pad, pieces) in out.audio.iter().enumerate() {
            let total = samples(world.seconds * SECOND, world.audio_rates[pad]);
            let of_programme: u64 =
                pieces.iter().filter(|(_, _, w)| matches!(w, What::Programme(_))).map(|(_, n, _)| n).sum();
            let all: u64 = pieces.iter().map(|(_, n, _)| n).sum();
            match world.mode {
                Mode::Replace => prop_assert_eq!(all, total),
                Mode::Insert => prop_assert_eq!(of_programme, total),
            }
            let mut next: HashMap<SlotId, u64> = HashMap::new();
            for (_, n, what) in pieces {
                if let What::Ad(slot, position) = what {
                    let expected = next.entry(*slot).or_insert(0);
                    prop_assert_eq!(*expected, *position);
                    *expected += n;
                }
            }
        }
        // Each ad's frames are consecutive from its first on.
        let mut next: HashMap<SlotId, u64> = HashMap::new();
        for (_, _, what) in &out.video {
            if let What::Ad(slot, frame) = what {
                let expected = next.entry(*slot).or_insert(0);
                prop_assert_eq!(*expected, *frame);
                *expected += 1;
            }
        }
        // Picture and sound of each ad begin and end together, to half a sample (the end of the programme aside,
        // where one of the two may be missing).
        let shown = picture(&out);
        let end = out.video.last().map_or(0, |(t, d, _)| t + d);
        for (pad, pieces) in out.audio.iter().enumerate() {
            let audio_rate = world.audio_rates[pad];
            let mut sounds: BTreeMap<SlotId, (u64, u64)> = BTreeMap::new();
            for (at, n, what) in pieces {
                if let What::Ad(slot, _) = what {
                    let entry = sounds.entry(*slot).or_insert((*at, *at));
                    entry.1 = at + n;
                }
            }
            let inserted_breaks = u64::from(world.mode == Mode::Insert) * shown.len() as u64;
            let tolerance = 2 + inserted_breaks;
            for (slot, (from, to, _)) in &shown {
                if *to >= end {
                    continue;
                }
                let Some((first, last)) = sounds.get(slot) else {
                    return Err(TestCaseError::fail(format!("{slot:?} has no sound on pad {pad}")));
                };
                prop_assert!(samples(*from, audio_rate).abs_diff(*first) <= tolerance,
                    "{:?}: picture at {}, sound at {}", slot, from, sample_time(*first, audio_rate));
                prop_assert!(samples(*to, audio_rate).abs_diff(*last) <= tolerance,
                    "{:?}: picture until {}, sound until {}", slot, to, sample_time(*last, audio_rate));
            }
        }
        // Each quartile once, in order; ends told once; complete only for what was shown whole.
        let mut quartiles: HashMap<SlotId, Vec<Quartile>> = HashMap::new();
        let mut ended: HashMap<SlotId, (u64, u64, bool)> = HashMap::new();
        let mut discarded: HashMap<SlotId, u32> = HashMap::new();
        let mut decided = 0;
        for action in &out.actions {
            match action {
                Action::Reached { slot, quartile } => {
                    prop_assert!(!ended.contains_key(slot), "a quartile after the end");
                    quartiles.entry(*slot).or_default().push(*quartile);
                }
                Action::Ended { slot, shown, planned, reason } => {
                    prop_assert!(ended.insert(*slot, (*shown, *planned, reason.is_none())).is_none());
                }
                Action::Discard { slot } => *discarded.entry(*slot).or_default() += 1,
                Action::Decide { .. } => decided += 1,
                _ => {}
            }
        }
        prop_assert_eq!(shown.len(), ended.len(), "every ad that was shown is told as ended");
        for (slot, (count, planned, whole)) in &ended {
            let told = &quartiles[slot];
            prop_assert_eq!(&Quartile::ALL[..told.len()], &told[..]);
            prop_assert_eq!(*whole, told.len() == 5);
            prop_assert_eq!(*count, shown[slot].2);
            prop_assert_eq!(*whole, count == planned);
        }
        prop_assert!(discarded.values().all(|n| *n == 1));
        prop_assert!(discarded.len() >= decided, "every creative that was asked for is let go");
        prop_assert_eq!(ads as u64, shown.values().map(|s| s.2).sum::<u64>());
    }

    #[test]
    fn no_ad_frame_lies_outside_of_a_break(world in world()) {
        let world = World { mode: Mode::Replace, start_break: None, ..world };
        let out = Run::new(&world).run();
        let rate = FrameRate::new(world.rate.0, world.rate.1).unwrap();
        for (time, _, what) in &out.video {
            if let What::Ad(..) = what {
                // Without a duration: as long as the longest creative, begun up to half a second late.
                let inside = world.cues.iter().any(|(start, duration)| {
                    let start = rate.time(rate.frames(*start));
                    let length = rate.time(rate.frames(duration.unwrap_or(4 * SECOND)).max(1));
                    (start..start + length).contains(time)
                });
                prop_assert!(inside, "an ad frame at {time}");
            }
        }
    }

    #[test]
    fn any_text_is_breaks_or_an_error_with_a_place(text in "[0-9+,. x]{0,24}") {
        match facialads_splice::parse(&text) {
            Ok(breaks) => prop_assert!(breaks.windows(2).all(|b| b[0].0 < b[1].0)),
            Err(e) => prop_assert!(e.column >= 1 && e.column <= text.chars().count() + 1),
        }
    }
}

#[test]
fn a_break_on_the_grid_is_replaced_to_the_frame_and_the_sample() {
    let world = World {
        mode: Mode::Replace,
        live: false,
        rate: (30, 1),
        audio_rates: vec![48_000],
        seconds: 20,
        cues: vec![(10_007_800_000, None)],
        fates: vec![Fate::Ready { after: 3, length: 5 * SECOND }],
        order: vec![(0, 0), (1, 1024), (1, 1024)],
        end_break: None,
        start_break: None,
        house: None,
        held: false,
    };
    let out = Run::new(&world).run();
    let ad: Vec<usize> = (0..out.video.len()).filter(|i| matches!(out.video[*i].2, What::Ad(..))).collect();
    assert_eq!((ad[0], ad[149], ad.len()), (300, 449, 150));
    let sound: Vec<_> = out.audio[0].iter().filter(|p| matches!(p.2, What::Ad(..))).collect();
    assert_eq!(sound[0].0, 480_000);
    assert_eq!(sound.iter().map(|p| p.1).sum::<u64>(), 240_000);

    let inserted = World { mode: Mode::Insert, ..world };
    let out = Run::new(&inserted).run();
    assert_eq!(out.video.len(), 750);
    let sound: u64 = out.audio[0].iter().filter(|p| matches!(p.2, What::Ad(..))).map(|p| p.1).sum();
    assert_eq!(sound, 240_000);
}

#[test]
fn the_house_ad_fills_a_live_break_without_lead() {
    let mut machine = Machine::new(Config::default());
    machine.set_live(true);
    machine.set_rate(FrameRate::new(25, 1));
    machine.set_house(House::Ready(2 * SECOND));
    assert_eq!(machine.video(0), VideoStep::Programme { shift: 0 });
    machine.cue(Cue { when: When::Now, duration: None });
    let step = machine.video(SECOND / 25);
    assert!(
        matches!(step, VideoStep::Ad { source: Source::House, frame: 0, .. }),
        "{step:?}: the very next frame is the house ad's"
    );
}
