//! A network together with its description, checked against each other.

use crate::{
    Error, Result,
    batch::Seat,
    runs::Runs,
    runtime::{self, Description, LoadOptions, Network, Notice},
    spec::{Layout, MAX_INPUT_SIDE, ModelSpec, Role, SecondPass},
};
use facialads_consent::{Permit, PurposeKind};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A loaded network that fits its description.
pub(crate) struct Model {
    spec: ModelSpec,
    network: Arc<dyn Network>,
    /// Where its pictures meet those of others, if they do.
    seat: Option<Seat>,
    note: Option<String>,
    /// How many of the network's notices have been handed out.
    noticed: AtomicU64,
}

impl Model {
    /// `model`: the name of an installed model or the path of an `.onnx` file.
    pub(crate) fn load(model: &str, role: Role, options: &LoadOptions) -> Result<Self> {
        Self::open(&crate::spec::find(model)?, role, options)
    }

    pub(crate) fn open(file: &Path, role: Role, options: &LoadOptions) -> Result<Self> {
        let spec = ModelSpec::beside(file)?;
        if spec.role != role {
            return Err(Error::Role { model: spec.name, found: spec.role.name(), wanted: role.name() });
        }
        let loaded = runtime::load(
            file,
            options,
            &shape(&spec, 1, (spec.input.width as usize, spec.input.height as usize)),
        )?;
        check_input(&spec, loaded.network.describe())?;
        let alone = fixed_batch(loaded.network.describe()).filter(|_| options.batch_size > 1);
        let alone = alone.map(|count| {
            format!("it takes {count} picture(s) at a time and no others, so batch-size makes no difference")
        });
        let notes: Vec<String> = loaded.note.into_iter().chain(alone.clone()).collect();
        Ok(Self {
            seat: if alone.is_none() { Seat::of(&loaded.network, options) } else { None },
            note: (!notes.is_empty()).then(|| format!("{}: {}", spec.name, notes.join("; "))),
            spec,
            network: loaded.network,
            noticed: AtomicU64::new(0),
        })
    }

    pub(crate) fn spec(&self) -> &ModelSpec {
        &self.spec
    }
    /// Changes the size of the network's picture: `side` pixels along the longer side, rounded up to a size that it can take.
    pub(crate) fn resize(&mut self, side: u32) -> Result<()> {
        let input = &mut self.spec.input;
        let fail = |problem: String| Error::Size { model: self.spec.name.clone(), side, problem };
        let Some(multiple) = input.multiple else {
            return Err(fail(format!("it takes pictures of {} x {} only", input.width, input.height)));
        };
        if side == 0 || side > MAX_INPUT_SIDE {
            return Err(fail(format!("sides are 1 to {MAX_INPUT_SIDE} pixels")));
        }
        let longer = u64::from(input.width.max(input.height).max(1));
        let scaled = |old: u32| {
            let wanted = (u64::from(old) * u64::from(side)).div_ceil(longer);
            // At most `MAX_INPUT_SIDE` and one step.
            u32::try_from(wanted).unwrap_or(MAX_INPUT_SIDE).div_ceil(multiple).max(1) * multiple
        };
        (input.width, input.height) = (scaled(input.width), scaled(input.height));
        let ratio = longer as f32 / input.width.max(input.height) as f32;
        // The second pass is for faces that fill the picture, and finds them at the size that it has, whatever the first one's.
        // A first pass as small as that finds them itself.
        self.spec.second_pass = self
            .spec
            .second_pass
            .map(|second| SecondPass { scale: second.scale * ratio, ..second })
            .filter(|second| second.scale < 1.0);
        Ok(())
    }
    pub(crate) fn describe(&self) -> &Description {
        self.network.describe()
    }
    pub(crate) fn shares_network_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.network, &other.network)
    }
    /// What became known of the network since the last call.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let Some(notices) = self.network.notices() else { return Vec::new() };
        let mut seen = self.noticed.load(Ordering::Relaxed);
        let new = notices.since(&mut seen);
        self.noticed.store(seen, Ordering::Relaxed);
        new
    }
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Runs a network on pictures of people; the only way to do so. See [`Model::run`].
    pub(crate) fn run_on_people<P: PurposeKind>(
        &self,
        _proof: &Permit<P>,
        pictures: &[f32],
        size: (usize, usize),
        runs: &mut Runs,
    ) -> Result<()> {
        runtime::count_on_people();
        self.run(pictures, size, runs, |run| runtime::time_on_people(run))
    }

    /// Runs a network on the programme. See [`Model::run`].
    pub(crate) fn run_on_programme(
        &self,
        picture: &[f32],
        size: (usize, usize),
        runs: &mut Runs,
    ) -> Result<()> {
        debug_assert_eq!(self.spec.role, Role::Subject);
        self.run(picture, size, runs, |run| run())
    }

    /// Pictures of `size` (width, height), one after the other; what comes out replaces what `runs` held. `timed` is called
    /// around each run of the network.
    fn run(
        &self,
        pictures: &[f32],
        (width, height): (usize, usize),
        runs: &mut Runs,
        timed: impl Fn(&mut dyn FnMut() -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let per_picture = (3 * width * height).max(1);
        let count = pictures.len() / per_picture;
        let fixed = fixed_batch(self.network.describe());
        let together = fixed.is_none() || fixed == Some(count);
        runs.begin(together);
        // Whoever fills a batch alone need not wait for others.
        let shares = |seat: &&Seat| (1..seat.size()).contains(&count);
        if let Some(seat) = self.seat.as_ref().filter(shares) {
            return seat.run(shape(&self.spec, count, (width, height)), pictures, runs.next(), timed);
        }
        let mut run = |values: &[f32], n: usize| {
            let outputs = runs.next();
            timed(&mut || self.network.run(&shape(&self.spec, n, (width, height)), values, outputs))
        };
        if together {
            return run(pictures, count);
        }
        pictures.chunks_exact(per_picture).try_for_each(|picture| run(picture, 1))
    }
}

/// Pictures of a batch, where the network takes so many and no others.
fn fixed_batch(network: &Description) -> Option<usize> {
    network.inputs.first().and_then(|port| port.shape.first().copied().flatten())
}

/// The shape of `count` pictures of a width and height.
fn shape(spec: &ModelSpec, count: usize, (width, height): (usize, usize)) -> [usize; 4] {
    match spec.input.layout {
        Layout::Nchw => [count, 3, height, width],
        Layout::Nhwc => [count, height, width, 3],
    }
}

/// Whether the network takes what the description says.
fn check_input(spec: &ModelSpec, network: &Description) -> Result<()> {
    let input = &spec.input;
    let (width, height) = (input.width as usize, input.height as usize);
    let (wanted, sides) = match input.layout {
        Layout::Nchw => ([None, Some(3), Some(height), Some(width)], [2, 3]),
        Layout::Nhwc => ([None, Some(height), Some(width), Some(3)], [1, 2]),
    };
    let found = network.inputs.first();
    let fits = found.is_some_and(|port| {
        port.shape.len() == 4
            && port.shape[0].is_none_or(|batch| batch == 1)
            && port.shape.iter().zip(&wanted[..]).all(|(f, w)| f.is_none() || w.is_none() || f == w)
            && input.name.as_ref().is_none_or(|name| *name == port.name)
    });
    let free = |port: &runtime::Port| sides.iter().all(|i| port.shape.get(*i).is_some_and(Option::is_none));
    let problem = match found {
        Some(port) if !fits => {
            let name = input.name.as_deref().unwrap_or("input");
            let order =
                if input.layout == Layout::Nchw { "[N, 3, height, width]" } else { "[N, height, width, 3]" };
            let [_, a, b, c] = wanted.map(|d| d.map_or(0, |n| n));
            format!("the description says the input is {name} [N, {a}, {b}, {c}] ({order}); found {port}")
        }
        Some(port) if input.multiple.is_some() && !free(port) => {
            format!("the description gives input.multiple, but the input's size is fixed: {port}")
        }
        Some(_) => return Ok(()),
        None => "it has no input".into(),
    };
    Err(Error::Shape { model: spec.name.clone(), decoder: spec.decoder.name(), problem })
}
