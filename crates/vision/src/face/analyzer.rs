use super::{
    AgeGender, Detector, DetectorInput, Expression, FaceOptions, FaceStats, Observation, Portrait,
    TrackedFace, Verdict,
    fusion::quality,
    ids::Ids,
    minors::{CAREFUL_MARGINS, Standing},
    people::People,
    tracker::Track,
};
use crate::{Frame, Rect, Result, decode::Detection};
use facialads_consent::{Demographics, Emotion, Measurement, Permit, Personalisation, Zone};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The margins that MODELS.md found best: part of the box's size by which it is made wider and higher.
pub(super) const AGE_MARGIN: f32 = 0.2;
pub(super) const EXPRESSION_MARGIN: f32 = 0.1;

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

/// A face whose picture is wanted from the frame at hand.
#[derive(Clone, Debug)]
pub struct CropRequest {
    id: i32,
    /// Fractions of the frame.
    bounds: Rect,
    demographics: bool,
    /// With the eight crops that the minors' rule asks for.
    careful: bool,
    emotion: bool,
    generation: u64,
}

impl CropRequest {
    /// Where it will be cut, as fractions of the frame.
    pub fn bounds(&self) -> Rect {
        self.bounds
    }
}

/// Pictures of faces, cut out of one frame, largest face first. Never printed.
pub struct Crops {
    faces: Vec<FaceCrops>,
    generation: u64,
}

struct FaceCrops {
    id: i32,
    quality: f32,
    careful: bool,
    /// One, or one per careful margin; empty where it is not wanted.
    age: Vec<Portrait>,
    expression: Option<Portrait>,
}

impl Crops {
    pub fn is_empty(&self) -> bool {
        self.faces.is_empty()
    }
    /// Faces.
    pub fn len(&self) -> usize {
        self.faces.len()
    }
}

/// Finds, follows and describes faces. Shared between a streaming thread and a worker (`Arc<FaceAnalyzer>`).
///
/// Times (`now`) are running time. Frames may change their size at any time.
pub struct FaceAnalyzer {
    /// `None` where faces are found elsewhere.
    detector: Option<Detector>,
    age_gender: AgeGender,
    expression: Option<Expression>,
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
        let age_gender = AgeGender::load(&options.age_gender, load)?;
        let expression = options.expression.as_deref().map(|m| Expression::load(m, load)).transpose()?;
        let mut notes = detector.as_ref().map_or_else(Vec::new, |detector| detector.notes().to_vec());
        notes.extend(age_gender.note().map(str::to_owned));
        notes.extend(expression.as_ref().and_then(Expression::note).map(str::to_owned));
        Ok(Self {
            detector,
            age_gender,
            expression,
            notes,
            reclassify_interval: AtomicU64::new(nanoseconds(options.reclassify_interval)),
            gender_threshold: options.gender_threshold,
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
    /// Name of the age and gender model, for metadata.
    pub fn age_gender_model(&self) -> &str {
        self.age_gender.name()
    }
    /// Name of the expression model, for metadata; `None` where emotion is not looked at.
    pub fn expression_model(&self) -> Option<&str> {
        self.expression.as_ref().map(Expression::name)
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
        let mut people = self.people();
        let epochs = [allowed.demographics.map(Permit::epoch), allowed.emotion.map(Permit::epoch)];
        for epoch in epochs.into_iter().flatten() {
            // A stale permit counts as none, see `People::limits`.
            let _ = people.admit(epoch);
        }
        people.enforce(allowed, now);
        let (for_demographics, for_emotion) = people.limits(allowed);
        let generation = people.generation;
        let interval = Duration::from_nanos(self.reclassify_interval.load(Ordering::Relaxed));
        let mut requests = Vec::new();
        for (rank, track) in people.by_size(now).into_iter().enumerate() {
            // Where a hidden face should be, another one may be seen. It takes its place in the order all the same.
            if !people.tracker.is_in_sight(&track) {
                continue;
            }
            let person = people.person(track.id);
            let demographics =
                rank < for_demographics && person.demographics_due(&track, allowed, interval, now);
            let emotion = rank < for_emotion
                && self.expression.is_some()
                && person.emotion_due(&track, allowed, interval, now);
            if demographics || emotion {
                person.requested = Some(now);
                let careful = demographics && !allowed.adult_declared;
                let bounds = track.at(now);
                requests.push(CropRequest {
                    id: track.id,
                    bounds,
                    demographics,
                    careful,
                    emotion,
                    generation,
                });
            }
        }
        requests
    }

    /// Streaming thread: copies the faces out of the frame, at the size that the networks want. Faces that are too small or
    /// no longer on the picture are left out.
    pub fn cut(&self, frame: &Frame, requests: &[CropRequest]) -> Crops {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        self.people().tracker.shape = Some(width / height);
        let cut = |request: &CropRequest| {
            let bounds = request.bounds.scaled(width, height);
            let margins: &[f32] = match (request.demographics, request.careful) {
                (false, _) => &[],
                (true, false) => &[AGE_MARGIN],
                (true, true) => &CAREFUL_MARGINS,
            };
            let input = self.age_gender.input();
            let age: Option<Vec<Portrait>> =
                margins.iter().map(|margin| Portrait::cut(frame, &bounds, *margin, input)).collect();
            let expression = match &self.expression {
                Some(network) if request.emotion => {
                    Portrait::cut(frame, &bounds, EXPRESSION_MARGIN, network.input())
                }
                _ => None,
            };
            let age = age.unwrap_or_default();
            let quality =
                quality(bounds.clipped(width, height).width.min(bounds.clipped(width, height).height));
            (!age.is_empty() || expression.is_some()).then_some(FaceCrops {
                id: request.id,
                quality,
                careful: request.careful,
                age,
                expression,
            })
        };
        Crops {
            faces: requests.iter().filter_map(cut).collect(),
            generation: requests.first().map_or(0, |request| request.generation),
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
        if let (Some(permit), Some(network)) = (allowed.emotion, &self.expression) {
            let generation = self.begin(permit.epoch(), Some(crops.generation))?;
            self.describe_emotion(permit, network, crops, allowed, now, generation)?;
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
        // Crops that were made under a declaration which no longer holds cannot tell what is asked now.
        let usable = |face: &&FaceCrops| !face.age.is_empty() && (adult_declared || face.careful);
        let faces: Vec<&FaceCrops> = crops.faces.iter().take(permit.limit()).filter(usable).collect();
        if faces.is_empty() {
            return Ok(());
        }
        let portraits: Vec<Portrait> =
            faces.iter().flat_map(|f| &f.age).flat_map(|p| [p.clone(), p.mirrored()]).collect();
        self.people().stats.inference_calls += 1;
        let estimates = self.age_gender.estimate(permit, &portraits)?;
        let mut people = self.people();
        people.still(generation)?;
        let mut rest = estimates.as_slice();
        for face in faces {
            let (looks, others) = rest.split_at((face.age.len() * 2).min(rest.len()));
            rest = others;
            if !people.tracker.has(face.id) {
                continue;
            }
            // Of the careful margins, the third is the one that single looks use.
            let best = if face.careful { looks.get(4..6).unwrap_or_default() } else { looks };
            let least = face.careful.then(|| looks.iter().map(|e| e.years).fold(f32::INFINITY, f32::min));
            people.stats.descriptions += 1;
            let person = people.person(face.id);
            person.requested = None;
            person.described = Some(now);
            if person.standing == Standing::Vetoed {
                continue;
            }
            person.demographics.add(best, face.quality);
            let mean = person.demographics.mean_years().unwrap_or(f32::NAN);
            person.standing = person.standing.judged(adult_declared, mean, person.demographics.looks, least);
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
        network: &Expression,
        crops: &Crops,
        allowed: &Allowed,
        now: Duration,
        generation: u64,
    ) -> Result<()> {
        let faces: Vec<(&FaceCrops, &Portrait)> = {
            let people = self.people();
            let passed =
                |face: &FaceCrops| people.known(face.id).is_some_and(|p| p.may_be_described(allowed));
            let wanted = crops.faces.iter().take(permit.limit()).filter(|face| passed(face));
            wanted.filter_map(|face| face.expression.as_ref().map(|portrait| (face, portrait))).collect()
        };
        if faces.is_empty() {
            return Ok(());
        }
        let portraits: Vec<Portrait> = faces.iter().flat_map(|(_, p)| [(*p).clone(), p.mirrored()]).collect();
        self.people().stats.inference_calls += 1;
        let distributions = network.estimate(permit, &portraits)?;
        let mut people = self.people();
        people.still(generation)?;
        for ((face, _), looks) in faces.iter().zip(distributions.chunks_exact(2)) {
            if people.known(face.id).is_some_and(|person| person.standing != Standing::Vetoed) {
                people.stats.descriptions += 1;
                let person = people.person(face.id);
                person.requested = None;
                person.felt = Some(now);
                person.feelings.add(looks, face.quality, now);
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
                age: demographics.and_then(|d| d.age()),
                gender: demographics.and_then(|d| d.gender(self.gender_threshold)),
                emotion: feelings.and_then(|f| f.emotion(self.emotion_threshold)),
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
        let tracks = people.by_size(now);
        if tracks.is_empty() {
            return Verdict::Nobody;
        }
        let passed = |id: i32| people.known(id).is_some_and(|p| p.standing.passes(adult_declared));
        if tracks.iter().take(permit.limit()).all(|track| passed(track.id)) {
            Verdict::Allowed
        } else {
            Verdict::Undecided
        }
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
