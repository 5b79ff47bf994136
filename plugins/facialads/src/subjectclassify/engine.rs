//! When the network runs, and on which thread.

use super::settings::Settings;
use crate::analysis::{
    InUse, Worker, batch,
    report::{Statistics, Timing},
};
use facialads_vision::{
    Error, SubjectClassifier, SubjectOptions, SubjectReading, View, runtime::LoadOptions,
    subject::ClassifierInput,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What the `stats` property counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Buffers that came in.
    pub frames: u64,
    /// Of those, how many the network looked at.
    pub classified: u64,
    /// Due, but the worker was still busy with an earlier one.
    pub skipped: u64,
    /// Buffers that could not be read, and runs of the network that failed.
    pub errors: u64,
    /// Messages about a changed subject.
    pub changes: u64,
    /// Time on the streaming thread per classified frame; of the network alone.
    pub streaming: Timing,
    pub classification: Timing,
}

impl Stats {
    pub fn to_structure(&self, in_use: &InUse) -> Statistics {
        let mut structure = gst::Structure::builder("facialads-subjectclassify-stats")
            .field("frames", self.frames)
            .field("classified", self.classified)
            .field("skipped", self.skipped)
            .field("errors", self.errors)
            .field("changes", self.changes)
            .field("streaming-ms", self.streaming.mean_ms())
            .field("streaming-max-ms", self.streaming.longest_ms())
            .field("classification-ms", self.classification.mean_ms())
            .field("classification-max-ms", self.classification.longest_ms())
            .build();
        in_use.add_to(&mut structure);
        Statistics(structure)
    }
}

pub struct Engine {
    classifier: Arc<SubjectClassifier>,
    worker: Option<Worker<Job, Done>>,
    interval: Duration,
    /// Running time of the last frame that was looked at.
    last: Option<Duration>,
    /// Rises with each reset: what was begun before it counts no more.
    generation: u64,
    reading: Option<SubjectReading>,
}

struct Job {
    input: ClassifierInput,
    now: Duration,
    generation: u64,
}

struct Done {
    took: Duration,
    now: Duration,
    generation: u64,
    result: Result<(), Error>,
}

impl Engine {
    /// Loads the network; slow.
    pub fn load(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            classifier: Arc::new(SubjectClassifier::new(&options(settings)?)?),
            worker: None,
            interval: Duration::from_secs_f64(settings.interval.clamp(0.0, 3600.0)),
            last: None,
            generation: 0,
            reading: None,
        })
    }

    pub fn classifier(&self) -> &SubjectClassifier {
        &self.classifier
    }

    /// From here on inference runs on a thread of its own.
    pub fn run_beside_the_stream(&mut self) -> std::io::Result<()> {
        let classifier = self.classifier.clone();
        self.worker = Some(Worker::start("subjectclassify", move |job| work(&classifier, &job))?);
        Ok(())
    }

    /// A jump in time or another stream: what was seen before counts no more.
    pub fn reset(&mut self) {
        self.generation += 1;
        self.classifier.reset();
        if let Some(worker) = &self.worker {
            worker.forget();
        }
        self.last = None;
        self.reading = None;
    }

    /// Whether the frame at `now` is to be looked at; one that should be but for a busy worker is counted.
    pub fn is_due(&self, now: Duration, stats: &mut Stats) -> bool {
        let due = self.last.is_none_or(|last| now >= last + self.interval);
        let free = self.worker.as_ref().is_none_or(Worker::is_free);
        if due && !free {
            stats.skipped += 1;
        }
        due && free
    }

    /// Looks at a frame that is due. In step with the stream the new reading is there afterwards.
    pub fn look(&mut self, frame: &View, now: Duration, stats: &mut Stats) -> Result<(), Error> {
        self.last = Some(now);
        let input = self.classifier.shrink_view(frame).inspect_err(|_| stats.errors += 1)?;
        let job = Job { input, now, generation: self.generation };
        let Some(worker) = &self.worker else {
            let done = work(&self.classifier, &job);
            return self.take_in(done, stats);
        };
        match worker.submit(job) {
            Ok(()) => stats.classified += 1,
            Err(_) => stats.skipped += 1,
        }
        Ok(())
    }

    /// Takes in what the worker has finished. Whether there is a new reading.
    pub fn collect(&mut self, stats: &mut Stats) -> Result<bool, Error> {
        let done = self.worker.as_ref().map(Worker::results).unwrap_or_default();
        let any = !done.is_empty();
        let result = done.into_iter().map(|done| self.take_in(done, stats)).fold(Ok(()), Result::and);
        result.map(|()| any)
    }

    fn take_in(&mut self, done: Done, stats: &mut Stats) -> Result<(), Error> {
        stats.classification.add(done.took);
        if self.worker.is_none() {
            stats.classified += 1;
        }
        if done.generation != self.generation {
            // It was under way when the stream jumped, and has entered the new window.
            self.classifier.reset();
            return Ok(());
        }
        done.result.inspect_err(|_| stats.errors += 1)?;
        self.reading = Some(self.classifier.reading(done.now));
        Ok(())
    }

    /// The newest reading; `None` before the first frame was looked at.
    pub fn reading(&self) -> Option<&SubjectReading> {
        self.reading.as_ref()
    }

    pub fn is_beside_the_stream(&self) -> bool {
        self.worker.is_some()
    }

    /// Whether the worker has died, which only a defect in a library can cause.
    pub fn is_broken(&self) -> bool {
        self.worker.as_ref().is_some_and(Worker::is_broken)
    }
}

fn options(settings: &Settings) -> Result<SubjectOptions, Error> {
    let defaults = SubjectOptions::default();
    let name = |set: &Option<String>| set.clone().filter(|name| !name.is_empty());
    Ok(SubjectOptions {
        model: name(&settings.model).unwrap_or(defaults.model),
        load: LoadOptions {
            device: settings.device.as_deref().unwrap_or_default().parse()?,
            precision: settings.precision.into(),
            fallback: settings.fallback,
            instance: settings.model_instance_id.clone().unwrap_or_default(),
            batch_size: settings.batch_size,
            batch_timeout: batch::timeout(settings.batch_timeout),
        },
        map: name(&settings.map).map(Into::into),
        window: Duration::from_secs_f64(settings.window.clamp(0.0, 3600.0)),
        threshold: (settings.threshold > 0.0).then_some(settings.threshold),
    })
}

fn work(classifier: &SubjectClassifier, job: &Job) -> Done {
    let begun = Instant::now();
    let result = classifier.classify(&job.input, job.now);
    Done { took: begun.elapsed(), now: job.now, generation: job.generation, result }
}
