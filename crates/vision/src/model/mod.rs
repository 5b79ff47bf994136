//! A network together with its description, checked against each other.

mod run;

pub(crate) use run::Pictures;

use crate::{
    Error, Result,
    batch::Seat,
    runtime::{self, Description, LoadOptions, Network, Notice, Notices},
    spec::{Layout, MAX_INPUT_SIDE, ModelSpec, Role, SecondPass},
};
use std::{
    path::Path,
    sync::{Arc, Mutex, Once, PoisonError},
};

const DOWNLOADS: &str = "frames come in a GPU's memory, and this network runs elsewhere: a small picture of each is copied to \
    the host; set device=cuda or device=tensorrt to keep pictures on the GPU";

/// A loaded network that fits its description.
pub(crate) struct Model {
    spec: ModelSpec,
    network: Arc<dyn Network>,
    /// Where its pictures meet those of others, if they do.
    seat: Option<Seat>,
    note: Option<String>,
    notices: Notices,
    /// Notices that were told: of ours, and of the network's.
    seen: Mutex<[u64; 2]>,
    /// Whether it was said that pictures are downloaded.
    downloads: Once,
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
            notices: Notices::default(),
            seen: Mutex::default(),
            downloads: Once::new(),
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
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// What became known of it since the last call.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let [own, of_network] = &mut *seen;
        let mut notices = self.notices.since(own);
        notices.extend(self.network.notices().map(|notices| notices.since(of_network)).unwrap_or_default());
        notices
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
