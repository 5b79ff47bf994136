//! What the programme is about: a classification of its frames, averaged and mapped to the IAB Content Taxonomy 3.1.
//! About pictures that are broadcast, not about viewers: no permit is asked for.

mod map;
mod window;

use crate::{
    Frame, Result, View,
    cuda::{Gpu, Workspace, sources},
    decode::{Outputs, classification::Classification},
    model::Model,
    pool::Pool,
    preprocess::Placement,
    runs::Runs,
    runtime::{Description, LoadOptions, Notice, Whom},
    small::Small,
    spec::Role,
};
use map::SubjectMap;
use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use window::Window;

/// As many classes as a reading tells.
const MOST_CLASSES: usize = 8;

/// What a [`SubjectClassifier`] is made of.
#[derive(Clone, Debug)]
pub struct SubjectOptions {
    /// Name of an installed model or path of an `.onnx` file.
    pub model: String,
    pub load: LoadOptions,
    /// Map from the model's classes to the taxonomy; `None`: the one built in, for ImageNet's 1000 classes.
    pub map: Option<PathBuf>,
    /// How far back frames count.
    pub window: Duration,
    /// Least confidence of any class that is told, 0..=1. `None`: the map's own, which may differ between classes.
    pub threshold: Option<f32>,
}

impl Default for SubjectOptions {
    fn default() -> Self {
        Self {
            model: "efficientnet-lite0".into(),
            load: LoadOptions { fallback: true, ..LoadOptions::default() },
            map: None,
            window: Duration::from_secs(3),
            threshold: None,
        }
    }
}

/// A class of the taxonomy.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectClass {
    /// IAB unique id: a string, 31 of the 704 are not numbers.
    pub id: String,
    pub name: String,
    /// Mean over the window, 0..=1.
    pub confidence: f32,
}

/// What the last frames were about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubjectReading {
    /// Likeliest first; empty if nothing is certain enough.
    pub classes: Vec<SubjectClass>,
    /// Brand-safety flags, e.g. "weapons".
    pub safety: Vec<String>,
    /// Frames that were averaged.
    pub samples: usize,
}

/// A frame made small for the classifier. Holds no reference to the frame; its memory is used for the next one.
pub struct ClassifierInput {
    small: Small,
    pool: Pool<Small>,
}

impl Drop for ClassifierInput {
    fn drop(&mut self) {
        let mut small = std::mem::take(&mut self.small);
        small.let_go();
        self.pool.give_back(small);
    }
}

/// Classifies frames. Shared between a streaming thread and a worker (`Arc<SubjectClassifier>`).
pub struct SubjectClassifier {
    model: Model,
    decoder: Classification,
    map: SubjectMap,
    threshold: Option<f32>,
    notes: Vec<String>,
    /// Held for moments only, never during inference.
    memory: Mutex<Memory>,
    pictures: Pool<Small>,
    kernels: Pool<Workspace>,
    /// The worker's alone, so it never waits for it.
    runs: Mutex<Runs>,
}

struct Memory {
    window: Window,
    /// Changes with each reset: a result that was begun before it is thrown away.
    generation: u64,
}

impl SubjectClassifier {
    /// The taxonomy that [`SubjectClass::id`] belongs to.
    pub const TAXONOMY: &str = "iab-content-3.1";

    /// Loads the network: slow, never on a streaming thread.
    ///
    /// # Errors
    /// The model is missing, damaged or unfit, its labels and the map do not meet, or ONNX Runtime cannot be opened.
    pub fn new(options: &SubjectOptions) -> Result<Self> {
        let model = Model::load(&options.model, Role::Subject, &options.load)?;
        let decoder = Classification::bind(&Outputs { spec: model.spec(), network: model.describe() })?;
        let mut notes: Vec<String> = model.note().map(str::to_owned).into_iter().collect();
        if let Some(Err(error)) = model.gpu().map(|gpu| gpu.prepare(&sources::PICTURE)) {
            notes.push(format!("frames in a GPU's memory cannot be looked at, others can: {error}"));
        }
        let map = SubjectMap::load(options.map.as_deref(), &model.spec().labels, Self::TAXONOMY)?;
        let memory = Memory { window: Window::new(options.window), generation: 0 };
        Ok(Self {
            notes,
            model,
            decoder,
            map,
            threshold: options.threshold,
            memory: Mutex::new(memory),
            pictures: Pool::default(),
            kernels: Pool::default(),
            runs: Mutex::default(),
        })
    }

    /// As [`crate::FaceAnalyzer::prepare`].
    ///
    /// # Errors
    /// Kernels cannot be compiled, or the GPU failed.
    pub fn prepare(&self, gpu: &Gpu) -> Result<()> {
        gpu.prepare(&sources::PICTURE)
    }

    /// What an operator should know, such as a device that was fallen back from.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
    /// What became known of the network since the last call: it has moved to another device, or TensorRT builds its engine.
    pub fn notices(&self) -> Vec<Notice> {
        self.model.notices()
    }
    /// The network: its inputs, outputs, and where it runs.
    pub fn runs_on(&self) -> &Description {
        self.model.describe()
    }
    /// Name of the model, for metadata.
    pub fn model(&self) -> &str {
        &self.model.spec().name
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Streaming thread: the frame as the classifier wants it.
    pub fn shrink(&self, frame: &Frame) -> ClassifierInput {
        let mut small = self.pictures.take();
        // Only a GPU can fail.
        let _ = self.fill(&View::Host(frame), &mut small);
        ClassifierInput { small, pool: self.pictures.clone() }
    }

    /// [`SubjectClassifier::shrink`] of a frame in any memory. Never waits for inference: on a GPU the picture is made while the
    /// thread goes on.
    ///
    /// # Errors
    /// The GPU that the frame lies on failed; of a frame in the computer's memory never.
    pub fn shrink_view(&self, view: &View) -> Result<ClassifierInput> {
        let mut small = self.pictures.take();
        let filled = self.fill(view, &mut small);
        let input = ClassifierInput { small, pool: self.pictures.clone() };
        filled.map(|()| input)
    }

    fn fill(&self, view: &View, small: &mut Small) -> Result<()> {
        let (input, (width, height)) = (&self.model.spec().input, view.size());
        let placement = std::iter::once(Placement::of_frame(width, height, input, 1.0));
        small.make(view, placement, input, self.model.half_input(), &self.kernels)
    }

    /// Worker: classifies and adds to the window. `now`: running time of the frame.
    ///
    /// # Errors
    /// The network failed.
    pub fn classify(&self, input: &ClassifierInput, now: Duration) -> Result<()> {
        let generation = self.memory().generation;
        let probabilities = self.probabilities(input)?;
        let groups = self.map.groups.iter().map(|group| group.sum(&probabilities));
        let safety = self.map.safety.iter().map(|safety| safety.sum(&probabilities));
        let values = groups.chain(safety).collect();
        let mut memory = self.memory();
        if memory.generation == generation {
            memory.window.add(now, values);
        }
        Ok(())
    }

    /// The network's own classes of one frame, likeliest first, at most `most`: label and probability.
    ///
    /// # Errors
    /// The network failed.
    pub fn labels(&self, input: &ClassifierInput, most: usize) -> Result<Vec<(String, f32)>> {
        let probabilities = self.probabilities(input)?;
        let mut classes: Vec<(String, f32)> =
            self.model.spec().labels.iter().cloned().zip(probabilities).collect();
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        classes.truncate(most);
        Ok(classes)
    }

    fn probabilities(&self, input: &ClassifierInput) -> Result<Vec<f32>> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let placement = input.small.placement(0);
        let size = (placement.out_width, placement.out_height);
        input.small.with(0, |picture| self.model.run_on_programme(picture, size, &mut runs))?;
        runs.settle(Whom::Programme)?;
        let (outputs, item) = runs.outputs_of(0);
        self.decoder.decode(outputs, item)
    }

    /// The mean over the window that ends at `now`.
    pub fn reading(&self, now: Duration) -> SubjectReading {
        let (means, samples) = self.memory().window.mean(now);
        let of_groups = self.map.groups.iter().zip(&means);
        let mut certain: Vec<(&map::Group, f32)> = of_groups
            .map(|(group, mean)| (group, mean.clamp(0.0, 1.0)))
            .filter(|(group, mean)| *mean >= self.threshold.unwrap_or(group.threshold))
            .collect();
        // Of two that are equally likely, the one within the other says more.
        certain.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.depth.cmp(&a.0.depth)));
        certain.truncate(MOST_CLASSES);
        let class = |(group, mean): (&map::Group, f32)| SubjectClass {
            id: group.id.clone(),
            name: group.name.clone(),
            confidence: mean,
        };
        let of_safety = self.map.safety.iter().zip(means.iter().skip(self.map.groups.len()));
        SubjectReading {
            classes: certain.into_iter().map(class).collect(),
            safety: of_safety
                .filter(|(s, mean)| **mean >= s.threshold)
                .map(|(s, _)| s.flag.clone())
                .collect(),
            samples,
        }
    }

    /// A new stream, shot, or a jump in time: empties the window.
    pub fn reset(&self) {
        let mut memory = self.memory();
        memory.generation += 1;
        memory.window.clear();
    }
}
