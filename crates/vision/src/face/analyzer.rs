use super::{
    Detector, DetectorInput, FaceOptions, FaceStats, Observation, TrackedFace, Verdict,
    buffers::{Buffers, FaceCrops, Pool},
    describer::{Describer, Wanted},
    framing::Place,
    fusion::{Demographics as FusedDemographics, Feelings},
    ids::Ids,
    minors::Standing,
    people::People,
    quality::{self, Hindrance},
    tracker::Track,
};
use crate::{Frame, Rect, Result, View, decode::Detection, runtime::Description};
use facialads_consent::{Demographics, Emotion, Measurement, Permit, Personalisation, Zone};
use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Confidence from which a detection may continue a track that it fits, though it is below the detector's threshold:
/// ByteTrack's second stage. A face half turned away or half hidden seldom falls below it.
const DOUBTFUL: f32 = 0.3;

/// What may be learned of the people on one frame, asked for anew for each frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed<'a> {
    pub demographics: Option<&'a Permit<Demographics>>,
    pub emotion: Option<&'a Permit<Emotion>>,
    /// Whether every grant declares an adult.
    pub adult_declared: bool,
}

/// A face whose picture is wanted from the frame at hand. Never printed but for where it is.
#[derive(Clone)]
pub struct CropRequest {
    id: i32,
    /// Fractions of the frame.
    bounds: Rect,
    points: Option<[(f32, f32); 5]>,
    /// See [`Wanted`].
    covered: Hindrance,
    demographics: bool,
    careful: bool,
    emotion: bool,
    generation: u64,
}

impl fmt::Debug for CropRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CropRequest")
            .field("id", &self.id)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

impl CropRequest {
    /// Where it will be cut, as fractions of the frame.
    pub fn bounds(&self) -> Rect {
        self.bounds
    }

    /// In pixels of a frame of this size.
    fn wanted(&self, (width, height): (f32, f32)) -> Wanted {
        let Self { id, covered, demographics, careful, emotion, .. } = *self;
        let points = self.points.map(|points| points.map(|(x, y)| (x * width, y * height)));
        let place = Place { bounds: self.bounds.scaled(width, height), points };
        Wanted { id, place, covered, demographics, careful, emotion }
    }
}

/// Pictures of faces, cut out of one frame, largest face first. Never printed; wiped when it is dropped, and its memory is
/// used for the next frame's.
pub struct Crops {
    buffers: Buffers,
    generation: u64,
    pool: Pool,
}

impl Crops {
    pub fn is_empty(&self) -> bool {
        self.buffers.faces.is_empty()
    }
    /// Faces.
    pub fn len(&self) -> usize {
        self.buffers.faces.len()
    }
}

impl Drop for Crops {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffers));
    }
}

/// Finds, follows and describes faces. Shared between a streaming thread and a worker (`Arc<FaceAnalyzer>`).
///
/// Times (`now`) are running time. Frames may change their size at any time.
pub struct FaceAnalyzer {
    /// `None` where faces are found elsewhere.
    detector: Option<Detector>,
    describer: Describer,
    notes: Vec<String>,
    /// Nanoseconds.
    reclassify_interval: AtomicU64,
    gender_threshold: f32,
    emotion_threshold: f32,
    /// Held for moments only, never during inference.
    people: Mutex<People>,
    /// Held by the worker while it looks.
    looked: Mutex<Looked>,
}

/// Memory of a look, kept so that the next one need not ask for it; empty in between.
#[derive(Default)]
struct Looked {
    found: Vec<Detection>,
    observations: Vec<Observation>,
}

fn nanoseconds(interval: Duration) -> u64 {
    u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)
}

impl FaceAnalyzer {
    /// Loads the networks: slow, never on a streaming thread.
    ///
    /// # Errors
    /// A model is missing, damaged or unfit, ONNX Runtime cannot be opened, or the device cannot start.
    pub fn new(options: &FaceOptions) -> Result<Self> {
        let load = &options.load;
        let detector = || {
            let detector = Detector::load(options.detector.as_deref(), options.threshold, load)?;
            match options.detector_size {
                Some(side) => detector.sized(side),
                None => Ok(detector),
            }
        };
        let detector = options.detect.then(detector).transpose()?;
        let describer = Describer::load(options)?;
        let mut notes = detector.as_ref().map_or_else(Vec::new, |detector| detector.notes().to_vec());
        notes.extend_from_slice(describer.notes());
        Ok(Self {
            detector,
            gender_threshold: describer.gender_threshold(options),
            describer,
            notes,
            reclassify_interval: AtomicU64::new(nanoseconds(options.reclassify_interval)),
            emotion_threshold: options.emotion_threshold,
            people: Mutex::new(People::new(Ids::new(options.seed), options.max_missing)),
            looked: Mutex::default(),
        })
    }

    /// What an operator should know: devices that were fallen back from, a lesser detector than the best.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
    /// Name of the detection model, for metadata; "upstream" where faces are found elsewhere.
    pub fn detector_model(&self) -> &str {
        self.detector.as_ref().map_or("upstream", Detector::name)
    }
    /// Where the detection network runs, by which runtime and in which precision; where faces are found elsewhere, the
    /// network for age and gender.
    pub fn runs_on(&self) -> &Description {
        self.detector.as_ref().map_or_else(|| self.describer.runs_on(), Detector::describe)
    }
    /// Name of the age and gender model, for metadata; of two that are joined, the first.
    pub fn age_gender_model(&self) -> &str {
        self.describer.age_gender_model()
    }
    /// Name of the expression model, for metadata; `None` where emotion is not looked at.
    pub fn expression_model(&self) -> Option<&str> {
        self.describer.expression_model()
    }

    /// Changes [`FaceOptions::reclassify_interval`]: who counts in frames learns their duration late, and it may change.
    pub fn set_reclassify_interval(&self, interval: Duration) {
        self.reclassify_interval.store(nanoseconds(interval), Ordering::Relaxed);
    }

    /// One look at a time: whoever comes second waits for the first.
    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Streaming thread: the frame as the detector wants it; without a detector nothing of it.
    pub fn shrink(&self, frame: &Frame) -> DetectorInput {
        let generation = self.people().generation;
        let nothing = || DetectorInput::nothing_of(frame);
        let mut input = self.detector.as_ref().map_or_else(nothing, |detector| detector.shrink(frame));
        input.generation = generation;
        input
    }

    /// [`FaceAnalyzer::shrink`] of a frame in any memory. Never waits for inference.
    ///
    /// # Errors
    /// The GPU that the frame lies on failed; of a frame in the computer's memory never.
    pub fn shrink_view(&self, view: &View) -> Result<DetectorInput> {
        match view {
            View::Host(frame) => Ok(self.shrink(frame)),
        }
    }

    /// Worker: finds the faces whose centre lies in `zone` and updates the tracks. Returns how many there are.
    ///
    /// `now`: running time of the frame that `input` was made of. Without a detector ([`FaceOptions::detect`]) the tracks
    /// stay as they are.
    ///
    /// # Errors
    /// The network failed, or [`crate::Error::Stale`]: consent ended before or meanwhile, and nothing was learned.
    pub fn detect(
        &self,
        permit: &Permit<Measurement>,
        input: &DetectorInput,
        zone: Zone,
        now: Duration,
    ) -> Result<usize> {
        let generation = self.begin(permit.epoch(), Some(input.generation))?;
        let Some(detector) = &self.detector else { return Ok(self.count(now)) };
        self.people().stats.inference_calls += detector.passes();
        let (width, height) = input.frame_size();
        self.people().tracker.shape = Some(width / height);
        let mut looked = self.looked();
        let Looked { found, observations } = &mut *looked;
        detector.detect_down_to(permit, input, DOUBTFUL, found)?;
        observations.clear();
        observations.extend(found.drain(..).map(|face| Observation::of_frame(&face, width, height)));
        self.follow(generation, observations, detector.threshold(), zone, now)
    }

    /// Worker: updates the tracks with faces that somebody else has found in the frame at `now`, as
    /// [`FaceAnalyzer::detect`] does with its own. Those whose centre lies outside `zone` are left out. Returns how many
    /// faces there are. Every one of them counts as a face, however confident. Where heads are turned to is told only once
    /// the shape of the frame is known, from [`FaceAnalyzer::cut`] of an earlier one.
    ///
    /// # Errors
    /// [`crate::Error::Stale`]: consent ended, and nothing was learned.
    pub fn observe(
        &self,
        permit: &Permit<Measurement>,
        observations: &[Observation],
        zone: Zone,
        now: Duration,
    ) -> Result<usize> {
        let generation = self.begin(permit.epoch(), None)?;
        let mut looked = self.looked();
        let mine = &mut looked.observations;
        mine.clear();
        mine.extend(observations);
        self.follow(generation, mine, f32::NEG_INFINITY, zone, now)
    }

    /// Takes what was found into the tracks, less what does not belong there.
    fn follow(
        &self,
        generation: u64,
        observations: &mut Vec<Observation>,
        threshold: f32,
        zone: Zone,
        now: Duration,
    ) -> Result<usize> {
        observations.retain(|face| {
            let (x, y) = face.bounds.centre();
            face.is_proper() && zone.contains(f64::from(x), f64::from(y))
        });
        let within = Rect::new(zone.x as f32, zone.y as f32, zone.width as f32, zone.height as f32);
        let mut people = self.people();
        people.still(generation)?;
        people.stats.detections += 1;
        people.tracker.update(observations, threshold, &within, now);
        observations.clear();
        people.tidy(now);
        Ok(people.tracker.alive(now).count())
    }

    /// Checks a permit and, where given, the memory that an input was made for. Returns the memory's generation.
    fn begin(&self, epoch: u64, made_for: Option<u64>) -> Result<u64> {
        let mut people = self.people();
        let before = people.generation;
        people.admit(epoch)?;
        // What was made before the first permit of a newer epoch came belongs to that epoch, if the permit says so.
        match made_for {
            Some(generation) if generation != before => people.still(generation)?,
            _ => {}
        }
        Ok(people.generation)
    }

    /// Faces in the zone now (as of the last detection, less those gone missing): what `permit` wants to know.
    pub fn count(&self, now: Duration) -> usize {
        self.people().tracker.alive(now).count()
    }

    /// Streaming thread, before [`FaceAnalyzer::cut`]: whose picture is wanted from the frame at `now`; at most the
    /// permit's limit, largest faces first. Attributes of faces that may not be described (any more) are dropped here, so
    /// call it for each frame.
    pub fn crops_due(&self, allowed: &Allowed, now: Duration) -> Vec<CropRequest> {
        let mut requests = Vec::new();
        self.crops_due_into(allowed, now, &mut requests);
        requests
    }

    /// [`FaceAnalyzer::crops_due`] into memory that is used again; what `requests` held is replaced.
    pub fn crops_due_into(&self, allowed: &Allowed, now: Duration, requests: &mut Vec<CropRequest>) {
        requests.clear();
        let mut people = self.people();
        let epochs = [allowed.demographics.map(Permit::epoch), allowed.emotion.map(Permit::epoch)];
        for epoch in epochs.into_iter().flatten() {
            // A stale permit counts as none, see `People::limits`.
            let _ = people.admit(epoch);
        }
        people.enforce(allowed, now);
        let (for_demographics, for_emotion) = people.limits(allowed);
        let (generation, frame) = (people.generation, people.frame);
        let interval = Duration::from_nanos(self.reclassify_interval.load(Ordering::Relaxed));
        let ranked = people.ranked(now);
        for (rank, face) in ranked.iter().enumerate().take(for_demographics.max(for_emotion)) {
            // Where a hidden face should be, another one may be seen. It takes its place in the order all the same.
            if !face.in_sight {
                continue;
            }
            let others = ranked.iter().filter(|other| other.in_sight && other.id != face.id);
            let others = others.map(|other| other.bounds);
            let covered = quality::covered(&face.bounds, others);
            let mut request = CropRequest {
                id: face.id,
                bounds: face.bounds,
                points: face.points,
                covered,
                demographics: false,
                careful: false,
                emotion: false,
                generation,
            };
            let view = frame.map(|frame| request.wanted(frame).view(frame));
            if view.is_some_and(|view| !view.is_passable()) {
                continue;
            }
            let person = people.person(face.id);
            request.demographics = rank < for_demographics
                && person.demographics_due(face, allowed, interval, view.map(Hindrance::quality), now);
            request.careful = request.demographics && !allowed.adult_declared;
            request.emotion = rank < for_emotion
                && self.describer.tells_emotion()
                && person.emotion_due(face, allowed, interval, now);
            if request.demographics || request.emotion {
                person.requested = Some(now);
                requests.push(request);
            }
        }
        people.done_ranking(ranked);
    }

    /// Streaming thread: copies the faces out of the frame, at the size that the networks want. Faces that are too small, no
    /// longer on the picture, or seen too badly to say anything are left out.
    pub fn cut(&self, frame: &Frame, requests: &[CropRequest]) -> Crops {
        let size = (frame.width() as f32, frame.height() as f32);
        {
            let mut people = self.people();
            people.frame = Some(size);
            people.tracker.shape = Some(size.0 / size.1);
        }
        Crops {
            buffers: self.describer.cut(frame, requests.iter().map(|request| request.wanted(size))),
            generation: requests.first().map_or(0, |request| request.generation),
            pool: self.describer.pool().clone(),
        }
    }

    /// [`FaceAnalyzer::cut`] out of a frame in any memory. Never waits for inference.
    ///
    /// # Errors
    /// As [`FaceAnalyzer::shrink_view`].
    pub fn cut_view(&self, view: &View, requests: &[CropRequest]) -> Result<Crops> {
        match view {
            View::Host(frame) => Ok(self.cut(frame, requests)),
        }
    }

    /// Worker: estimates age, gender and emotion as far as permitted, and fuses them over each track. `now`: running time of
    /// the frame that `crops` were cut out of.
    ///
    /// # Errors
    /// The network failed, or [`crate::Error::Stale`]: consent ended before or meanwhile, and nothing was learned.
    pub fn describe(&self, allowed: &Allowed, crops: &Crops, now: Duration) -> Result<()> {
        if crops.is_empty() {
            return Ok(());
        }
        if let Some(permit) = allowed.demographics {
            let generation = self.begin(permit.epoch(), Some(crops.generation))?;
            self.describe_age_gender(permit, crops, allowed.adult_declared, now, generation)?;
        }
        if let Some(permit) = allowed.emotion {
            let generation = self.begin(permit.epoch(), Some(crops.generation))?;
            self.describe_emotion(permit, crops, allowed, now, generation)?;
        }
        Ok(())
    }

    fn describe_age_gender(
        &self,
        permit: &Permit<Demographics>,
        crops: &Crops,
        adult_declared: bool,
        now: Duration,
        generation: u64,
    ) -> Result<()> {
        let faces = &crops.buffers.faces;
        let faces = faces.get(..permit.limit()).unwrap_or(faces);
        let wanted = |face: &FaceCrops| !face.age.is_empty();
        // Crops that were made under a declaration which no longer holds cannot tell what is asked now.
        let unfit = |face: &FaceCrops| wanted(face) && !adult_declared && !face.careful;
        if !faces.iter().any(wanted) || faces.iter().any(unfit) {
            return Ok(());
        }
        self.people().stats.inference_calls += self.describer.age_gender_runs();
        let looks = self.describer.demographics(permit, &crops.buffers, faces.len())?;
        let mut people = self.people();
        people.still(generation)?;
        for (face, look) in looks.of(faces) {
            if !people.tracker.has(face.id) {
                continue;
            }
            people.stats.descriptions += 1;
            let person = people.person(face.id);
            person.requested = None;
            person.described = Some(now);
            person.best_view = person.best_view.max(face.view);
            if person.standing == Standing::Vetoed {
                continue;
            }
            person.demographics.add(look.calibrated, face.quality);
            let mean = person.demographics.cautious_years().unwrap_or(f32::NAN);
            person.standing =
                person.standing.judged(adult_declared, mean, person.demographics.looks, look.least);
            if person.standing.passes(adult_declared) {
                person.demographics.publish(self.gender_threshold);
            }
            if person.standing == Standing::Vetoed {
                person.veto();
                people.hold.renew(now);
            }
        }
        Ok(())
    }

    fn describe_emotion(
        &self,
        permit: &Permit<Emotion>,
        crops: &Crops,
        allowed: &Allowed,
        now: Duration,
        generation: u64,
    ) -> Result<()> {
        let faces = &crops.buffers.faces;
        let faces = faces.get(..permit.limit()).unwrap_or(faces);
        let passed = {
            let mut people = self.people();
            let may = |face: &FaceCrops| {
                face.expression.is_some()
                    && people.known(face.id).is_some_and(|person| person.may_be_described(allowed))
            };
            let passed = self.describer.feeling(faces, may);
            people.stats.inference_calls += u64::from(passed.is_some());
            passed
        };
        let Some(mut feelings) = passed else { return Ok(()) };
        self.describer.emotions(permit, &crops.buffers, &mut feelings)?;
        let mut people = self.people();
        people.still(generation)?;
        for (face, looks) in feelings.of(faces) {
            if people.known(face.id).is_some_and(|person| person.standing != Standing::Vetoed) {
                people.stats.descriptions += 1;
                let person = people.person(face.id);
                person.requested = None;
                person.felt = Some(now);
                person.feelings.add(looks, face.quality, now, self.emotion_threshold);
            }
        }
        Ok(())
    }

    /// The faces in the zone, where they are expected to be at `now`, largest first. Attributes only of as many of the
    /// largest faces as the permits allow, and never of one that may be a minor's.
    pub fn faces(&self, permit: &Permit<Measurement>, allowed: &Allowed, now: Duration) -> Vec<TrackedFace> {
        let people = self.people();
        if !people.is_current(permit.epoch()) {
            return Vec::new();
        }
        let (for_demographics, for_emotion) = people.limits(allowed);
        let shown: Vec<i32> = people.tracker.visible(now).map(|track| track.id).collect();
        let tell = |(rank, track): (usize, Track)| {
            let bounds = track.at(now).clipped(1.0, 1.0);
            if !bounds.is_proper() || !shown.contains(&track.id) {
                return None;
            }
            let person = people.known(track.id).filter(|person| person.may_be_described(allowed));
            let demographics = person.filter(|_| rank < for_demographics).map(|p| &p.demographics);
            let feelings = person.filter(|_| rank < for_emotion).map(|p| &p.feelings);
            Some(TrackedFace {
                id: track.id,
                bounds,
                confidence: track.confidence,
                age: demographics.and_then(|d| d.age(&self.describer.calibration)),
                gender: demographics.and_then(FusedDemographics::gender),
                emotion: feelings.and_then(Feelings::emotion),
                points: track.points_at(now),
                attention: track.attention(now),
            })
        };
        people.by_size(now).into_iter().enumerate().filter_map(tell).collect()
    }

    /// Whether these people may be targeted by profile at `now`: as many of the largest faces as the permit allows must all
    /// have passed the minors' rule, and no face in the zone may have failed it in the last 30 s.
    pub fn targeting(
        &self,
        permit: Option<&Permit<Personalisation>>,
        adult_declared: bool,
        now: Duration,
    ) -> Verdict {
        let mut people = self.people();
        people.renew_hold(now);
        let Some(permit) = permit.filter(|p| people.is_current(p.epoch())) else {
            return Verdict::NotPermitted;
        };
        if people.hold.active(now) {
            return Verdict::PossibleMinor;
        }
        let ranked = people.ranked(now);
        let passed = |id: i32| people.known(id).is_some_and(|p| p.standing.passes(adult_declared));
        // A face that was never seen well enough to be assessed has not passed.
        let verdict = if ranked.is_empty() {
            Verdict::Nobody
        } else if ranked.iter().take(permit.limit()).all(|face| passed(face.id)) {
            Verdict::Allowed
        } else {
            Verdict::Undecided
        };
        people.done_ranking(ranked);
        verdict
    }

    /// Consent ended or changed: drops everything learned under epochs before `valid_from`, also results still being made.
    /// Permits of such epochs are refused from here on. Only the 30 s hold after a possible minor stays.
    pub fn forget(&self, valid_from: u64) {
        self.people().forget_before(valid_from);
    }

    /// A jump in time (a seek, a new segment): tracks end; epoch and hold stay.
    pub fn reset(&self) {
        let mut people = self.people();
        people.forget();
        people.hold.jump();
    }

    /// The pipeline starts anew and with it the gate's epochs: everything is forgotten but the hold.
    pub fn restart(&self) {
        self.people().restart();
    }

    /// What is left of the 30 s hold after a possible minor, to be handed to the analyzer that takes this one's place.
    pub fn hold_left(&self) -> Duration {
        self.people().hold.left()
    }
    /// Goes on with the hold of the analyzer before this one.
    pub fn resume_hold(&self, left: Duration) {
        self.people().hold.resume(left);
    }

    pub fn stats(&self) -> FaceStats {
        self.people().stats
    }
}
