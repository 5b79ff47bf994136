//! When networks run, and on which thread. In step: here and now. Beside the stream: a worker, which the streaming
//! thread only hands small pictures to.

use super::{
    settings::Settings,
    stats::Stats,
    upstream::{Cadence, DetectorSource},
};
use crate::analysis::{Worker, batch};
use facialads_consent::{Measurement, Permit, Stamp, Zone, permit, wall_clock};
use facialads_vision::{
    Error, FaceAnalyzer, FaceOptions, View,
    face::{CropRequest, Crops, DetectorInput, Observation},
    process::{Memory, Permits, Terms, Took, describe, process},
    runtime::LoadOptions,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub struct Engine {
    analyzer: Arc<FaceAnalyzer>,
    worker: Option<Worker<Job, Done>>,
    inference_interval: u32,
    reclassify_interval: u32,
    /// Frames since the last detection.
    since: u32,
    /// Where faces are found upstream: how often it looks.
    upstream: Option<Cadence>,
    emotion: bool,
    memory: Memory,
}

/// What is to be done with a frame, decided before it is mapped.
pub struct Plan {
    detect: bool,
    describe: Vec<CropRequest>,
    permits: Permits,
}

/// What a detection takes.
type Detect = (Permit<Measurement>, DetectorInput, Zone);

/// One frame's work: small pictures and the permits to look at them, never the frame.
struct Job {
    detect: Option<Detect>,
    describe: Option<(Permits, Crops)>,
    now: Duration,
    handed_in: Instant,
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
        Ok(Self {
            analyzer: Arc::new(FaceAnalyzer::new(&options(settings)?)?),
            worker: None,
            inference_interval: settings.inference_interval,
            reclassify_interval: settings.reclassify_interval,
            since: u32::MAX,
            upstream: (settings.detector == DetectorSource::Upstream).then(Cadence::default),
            emotion: settings.emotion,
            memory: Memory::default(),
        })
    }

    pub fn analyzer(&self) -> &Arc<FaceAnalyzer> {
        &self.analyzer
    }

    /// What is asked of the frame with this stamp, now.
    pub fn terms<'a>(&self, stamp: &'a Stamp, now: gst::ClockTime) -> Terms<'a> {
        Terms { stamp, now: now.into(), wall: wall_clock(), emotion: self.emotion }
    }

    /// Frames last this long from here on: the reclassify interval is counted in them.
    pub fn set_frame_time(&self, frame: Duration) {
        self.analyzer.set_reclassify_interval(frame.saturating_mul(self.reclassify_interval));
    }

    /// From here on inference runs on a thread of its own.
    pub fn run_beside_the_stream(&mut self) -> std::io::Result<()> {
        let analyzer = self.analyzer.clone();
        self.worker = Some(Worker::start("faceanalyze", move |job| work(&analyzer, &job))?);
        Ok(())
    }

    /// Tracks end and whatever is under way is dropped: a jump in time or another stream.
    pub fn reset(&mut self) {
        if let Some(worker) = &self.worker {
            worker.forget();
        }
        self.analyzer.reset();
        self.since = u32::MAX;
        if let Some(cadence) = &mut self.upstream {
            cadence.reset();
        }
    }

    /// Whether faces are found upstream.
    pub fn takes_from_upstream(&self) -> bool {
        self.upstream.is_some()
    }

    /// Follows the faces that upstream has found in this frame. Runs no network, so it is done here and now.
    pub fn observe(&mut self, found: &[Observation], terms: &Terms, stats: &mut Stats) -> Result<(), Error> {
        let looked = self.upstream.as_mut().is_some_and(|cadence| cadence.looked(!found.is_empty()));
        let Some(permit) = looked.then(|| permit(Some(terms.stamp), 0, terms.wall).ok()).flatten() else {
            return Ok(());
        };
        let begun = Instant::now();
        let result = self.analyzer.observe(&permit, found, terms.stamp.zone, terms.now).map(drop);
        let took = begun.elapsed();
        stats.analysed += 1;
        account(Done { detection: Some(took), description: None, latency: took, result }, stats)
    }

    /// Counts a frame that carries consent, and decides what to do with it. `None`: it need not be mapped.
    pub fn plan(&mut self, terms: &Terms, stats: &mut Stats) -> Option<Plan> {
        self.since = self.since.saturating_add(1);
        let detect = self.upstream.is_none() && self.since >= self.inference_interval;
        if self.worker.as_ref().is_some_and(|worker| !worker.is_free()) {
            stats.skipped += u64::from(detect);
            return None;
        }
        let permits = Permits::of(&self.analyzer, terms);
        // In step, faces are found first and asked for afterwards.
        let describe = if detect && self.worker.is_none() {
            Vec::new()
        } else {
            self.analyzer.crops_due(&permits.allowed(), terms.now)
        };
        (detect || !describe.is_empty()).then_some(Plan { detect, describe, permits })
    }

    /// Looks at a frame as planned: in step with the stream waits for the result, beside it does not.
    pub fn look(&mut self, frame: &View, plan: Plan, terms: &Terms, stats: &mut Stats) -> Result<(), Error> {
        if self.worker.is_none() {
            return self.look_in_step(frame, &plan, terms, stats);
        }
        let cut = self.cut(frame, &plan, terms);
        let (detect, crops) = cut.inspect_err(|_| stats.errors += 1)?;
        stats.analysed += u64::from(detect.is_some());
        let describe = crops.map(|crops| (plan.permits, crops));
        let worth_it = detect.is_some() || describe.is_some();
        let job = Job { detect, describe, now: terms.now, handed_in: Instant::now() };
        if worth_it && self.worker.as_ref().is_some_and(|worker| worker.submit(job).is_err()) {
            stats.skipped += 1;
        }
        Ok(())
    }

    fn look_in_step(
        &mut self,
        frame: &View,
        plan: &Plan,
        terms: &Terms,
        stats: &mut Stats,
    ) -> Result<(), Error> {
        let (analyzer, handed_in, mut took) = (&self.analyzer, Instant::now(), Took::default());
        let result = if plan.detect {
            self.since = 0;
            process(analyzer, *frame, terms, &mut self.memory, &mut took)
        } else {
            describe(analyzer, *frame, terms, &plan.permits, &plan.describe, &mut took)
        };
        stats.analysed += u64::from(took.detection.is_some());
        let Took { detection, description } = took;
        account(Done { detection, description, latency: handed_in.elapsed(), result }, stats)
    }

    /// The small pictures that the worker needs: the frame as the detector wants it, and faces, as far as allowed.
    fn cut(
        &mut self,
        frame: &View,
        plan: &Plan,
        terms: &Terms,
    ) -> Result<(Option<Detect>, Option<Crops>), Error> {
        let mut detect = None;
        if plan.detect
            && let Ok(permit) = permit(Some(terms.stamp), 0, terms.wall)
        {
            self.since = 0;
            detect = Some((permit, self.analyzer.shrink_view(frame)?, terms.stamp.zone));
        }
        if plan.describe.is_empty() {
            return Ok((detect, None));
        }
        let crops = self.analyzer.cut_view(frame, &plan.describe)?;
        Ok((detect, Some(crops).filter(|crops| !crops.is_empty())))
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
        detect: settings.detector == DetectorSource::Model,
        age_gender: name(&settings.age_gender_model).or(defaults.age_gender),
        expression: expression.filter(|_| settings.emotion),
        load: LoadOptions {
            device: settings.device.as_deref().unwrap_or_default().parse()?,
            precision: settings.precision.into(),
            fallback: settings.fallback,
            instance: settings.model_instance_id.clone().unwrap_or_default(),
            batch_size: settings.batch_size,
            batch_timeout: batch::timeout(settings.batch_timeout),
        },
        threshold: (settings.threshold > 0.0).then_some(settings.threshold),
        detector_size: (settings.detector_size > 0).then_some(settings.detector_size),
        seed: (settings.seed != 0).then_some(settings.seed),
        ..FaceOptions::default()
    })
}

/// The slow part. Detection comes first: it corrects the tracks that the description is entered under.
fn work(analyzer: &FaceAnalyzer, job: &Job) -> Done {
    let mut done = Done { detection: None, description: None, latency: Duration::ZERO, result: Ok(()) };
    if let Some((permit, input, zone)) = &job.detect {
        let begun = Instant::now();
        done.result = analyzer.detect(permit, input, *zone, job.now).map(drop);
        done.detection = Some(begun.elapsed());
    }
    if let (Ok(()), Some((permits, crops))) = (&done.result, &job.describe) {
        let begun = Instant::now();
        done.result = analyzer.describe(&permits.allowed(), crops, job.now);
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
