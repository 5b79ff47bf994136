//! When networks run, and on which thread. In step: here and now. Beside the stream: a worker, which the streaming
//! thread only hands small pictures to.

use super::{settings::Settings, stats::Stats};
use crate::analysis::Worker;
use facialads_consent::{Demographics, Emotion, Measurement, Permit, Stamp, WallClock, Zone, permit};
use facialads_vision::{
    Error, FaceAnalyzer, FaceOptions, Frame,
    face::{CropRequest, Crops, DetectorInput},
    runtime::LoadOptions,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What is asked of one frame.
pub struct Look<'a> {
    pub stamp: &'a Stamp,
    /// Running time of the frame.
    pub now: Duration,
    /// Wall clock, against which consent is held.
    pub wall: WallClock,
}

pub struct Engine {
    analyzer: Arc<FaceAnalyzer>,
    worker: Option<Worker<Job, Done>>,
    detections: Interval,
    descriptions: Interval,
    emotion: bool,
}

/// Counts frames up to the next time that something is due.
struct Interval {
    every: u32,
    since: u32,
}

impl Interval {
    fn new(every: u32) -> Self {
        Self { every: every.max(1), since: u32::MAX }
    }
    fn tick(&mut self) {
        self.since = self.since.saturating_add(1);
    }
    fn due(&self) -> bool {
        self.since >= self.every
    }
    fn done(&mut self) {
        self.since = 0;
    }
    fn restart(&mut self) {
        self.since = u32::MAX;
    }
}

/// One frame's work: small pictures and the permits to look at them, never the frame.
struct Job {
    detect: Option<(Permit<Measurement>, DetectorInput, Zone)>,
    describe: Option<Description>,
    now: Duration,
    handed_in: Instant,
}

struct Description {
    demographics: Option<Permit<Demographics>>,
    emotion: Option<Permit<Emotion>>,
    crops: Crops,
    adult: bool,
}

/// What came of a job; what was learned is in the analyzer.
struct Done {
    detection: Option<Duration>,
    description: Option<Duration>,
    latency: Duration,
    result: Result<(), Error>,
}

impl Engine {
    /// Loads the networks; slow.
    pub fn load(settings: &Settings) -> Result<Self, Error> {
        let analyzer = Arc::new(FaceAnalyzer::new(&options(settings)?)?);
        Ok(Self {
            analyzer,
            worker: None,
            detections: Interval::new(settings.inference_interval),
            descriptions: Interval::new(settings.reclassify_interval),
            emotion: settings.emotion,
        })
    }

    pub fn analyzer(&self) -> &Arc<FaceAnalyzer> {
        &self.analyzer
    }

    /// From here on inference runs on a thread of its own.
    pub fn run_beside_the_stream(&mut self) -> std::io::Result<()> {
        let analyzer = self.analyzer.clone();
        self.worker = Some(Worker::start("faceanalyze", move |job| work(&analyzer, job))?);
        Ok(())
    }

    /// Tracks end and whatever is under way is dropped: a jump in time or another stream.
    pub fn reset(&mut self) {
        if let Some(worker) = &self.worker {
            worker.forget();
        }
        self.analyzer.reset();
        self.detections.restart();
        self.descriptions.restart();
    }

    /// Counts a frame that carries consent. Whether it needs to be mapped at all.
    pub fn tick(&mut self, look: &Look, stats: &mut Stats) -> bool {
        self.detections.tick();
        self.descriptions.tick();
        let free = self.worker.as_ref().is_none_or(Worker::is_free);
        if self.detections.due() && !free {
            stats.skipped += 1;
        }
        free && (self.detections.due() || !self.requests(look).2.is_empty())
    }

    /// Looks at a frame that [`Engine::tick`] asked for: in step with the stream waits for the result, beside it does not.
    pub fn look(&mut self, frame: &Frame, look: &Look, stats: &mut Stats) -> Result<(), Error> {
        let detect = self.small_picture(frame, look);
        if detect.is_some() {
            stats.analysed += 1;
        }
        let mut job = Job { detect, describe: None, now: look.now, handed_in: Instant::now() };
        if self.worker.is_none() {
            // Faces are found first, so that they are described as they are in this very frame.
            account(work(&self.analyzer, job), stats)?;
            let describe = self.crops(frame, look);
            let job = Job { detect: None, describe, now: look.now, handed_in: Instant::now() };
            return account(work(&self.analyzer, job), stats);
        }
        job.describe = self.crops(frame, look);
        let worth_it = job.detect.is_some() || job.describe.is_some();
        if let Some(worker) = self.worker.as_ref().filter(|_| worth_it)
            && worker.submit(job).is_err()
        {
            stats.skipped += 1;
        }
        Ok(())
    }

    /// The frame as the detector wants it, if it is due and allowed.
    fn small_picture(
        &mut self,
        frame: &Frame,
        look: &Look,
    ) -> Option<(Permit<Measurement>, DetectorInput, Zone)> {
        if !self.detections.due() {
            return None;
        }
        let permit = permit(Some(look.stamp), 0, look.wall).ok()?;
        self.detections.done();
        Some((permit, self.analyzer.shrink(frame), look.stamp.zone))
    }

    /// The pictures of faces that are due for a description and may be described.
    fn crops(&mut self, frame: &Frame, look: &Look) -> Option<Description> {
        let (demographics, emotion, requests) = self.requests(look);
        if requests.is_empty() {
            return None;
        }
        self.descriptions.done();
        let crops = self.analyzer.cut(frame, &requests);
        (!crops.is_empty()).then_some(Description { demographics, emotion, crops, adult: look.stamp.adult })
    }

    fn requests(
        &self,
        look: &Look,
    ) -> (Option<Permit<Demographics>>, Option<Permit<Emotion>>, Vec<CropRequest>) {
        let (demographics, emotion) = self.attributes(look);
        let requests = if self.descriptions.due() {
            let adult = look.stamp.adult;
            self.analyzer.crops_due(demographics.as_ref(), emotion.as_ref(), adult, look.now)
        } else {
            Vec::new()
        };
        (demographics, emotion, requests)
    }

    /// The permits to describe, as far as they are given for the people who are there now.
    pub fn attributes(&self, look: &Look) -> (Option<Permit<Demographics>>, Option<Permit<Emotion>>) {
        let faces = self.analyzer.count(look.now);
        let demographics = permit(Some(look.stamp), faces, look.wall).ok();
        let emotion = if self.emotion { permit(Some(look.stamp), faces, look.wall).ok() } else { None };
        (demographics, emotion)
    }

    /// Takes in what the worker has finished. The first failure comes back; counted are all.
    pub fn collect(&self, stats: &mut Stats) -> Result<(), Error> {
        let done = self.worker.as_ref().map(Worker::results).unwrap_or_default();
        done.into_iter().map(|done| account(done, stats)).fold(Ok(()), Result::and)
    }

    /// Whether the worker has died, which only a defect in a library can cause.
    pub fn is_broken(&self) -> bool {
        self.worker.as_ref().is_some_and(Worker::is_broken)
    }
}

fn options(settings: &Settings) -> Result<FaceOptions, Error> {
    let defaults = FaceOptions::default();
    let name = |set: &Option<String>| set.clone().filter(|name| !name.is_empty());
    let expression = name(&settings.emotion_model).or(defaults.expression);
    Ok(FaceOptions {
        detector: name(&settings.model),
        age_gender: name(&settings.age_gender_model).unwrap_or(defaults.age_gender),
        expression: expression.filter(|_| settings.emotion),
        load: LoadOptions {
            device: settings.device.as_deref().unwrap_or_default().parse()?,
            fallback: settings.fallback,
            instance: settings.model_instance_id.clone().unwrap_or_default(),
        },
        threshold: (settings.threshold > 0.0).then_some(settings.threshold),
        // Counted in frames, here.
        reclassify_interval: Duration::ZERO,
        seed: (settings.seed != 0).then_some(settings.seed),
        ..FaceOptions::default()
    })
}

/// The slow part. Detection comes first: it corrects the tracks that the description is entered under.
fn work(analyzer: &FaceAnalyzer, job: Job) -> Done {
    let mut done = Done { detection: None, description: None, latency: Duration::ZERO, result: Ok(()) };
    if let Some((permit, input, zone)) = &job.detect {
        let begun = Instant::now();
        done.result = analyzer.detect(permit, input, *zone, job.now).map(drop);
        done.detection = Some(begun.elapsed());
    }
    if let (Ok(()), Some(d)) = (&done.result, &job.describe) {
        let begun = Instant::now();
        let (demographics, emotion) = (d.demographics.as_ref(), d.emotion.as_ref());
        done.result = analyzer.describe(demographics, emotion, &d.crops, d.adult, job.now);
        done.description = Some(begun.elapsed());
    }
    done.latency = job.handed_in.elapsed();
    done
}

/// Books a job. That its consent has ended meanwhile is no failure.
fn account(done: Done, stats: &mut Stats) -> Result<(), Error> {
    done.detection.into_iter().for_each(|took| stats.detection.add(took));
    done.description.into_iter().for_each(|took| stats.description.add(took));
    if done.detection.is_some() {
        stats.latency.add(done.latency);
    }
    match done.result {
        Err(Error::Stale { .. }) => {
            stats.stale += 1;
            Ok(())
        }
        Err(error) => {
            stats.errors += 1;
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}
