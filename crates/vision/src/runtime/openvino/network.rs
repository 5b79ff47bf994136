//! A network in OpenVINO: one graph, compiled for each shape of input that comes.

use super::{
    api::{Compiled, Model, Request, Shape, Tensor as ApiTensor},
    library,
};
use crate::{
    Error, Result,
    runtime::{Description, Network, Precision, Tensor},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// As many shapes as are kept compiled; the one not used for longest goes first. Four sizes of batch and two passes of a
/// detector on frames of two sizes fit.
const MOST_SHAPES: usize = 8;

/// The sizes that a batch is put together from, largest first. On a CPU in 32 bits pictures take as long together as one by
/// one (measured: 17.4 ms for 8 faces, 2.2 ms for one), and each size would be another network to compile and keep.
const BATCHES_ON_CPU: &[usize] = &[1];
const BATCHES: &[usize] = &[8, 4, 2, 1];

/// Inputs with more dimensions are refused when the network is loaded.
pub(super) const MOST_DIMENSIONS: usize = 8;

pub(super) struct OpenVinoNetwork {
    description: Description,
    /// OpenVINO's name of the device.
    device: String,
    precision: Precision,
    model: Mutex<Model>,
    /// Last used first.
    shapes: Mutex<Vec<Arc<Ready>>>,
}

/// A network for one shape of input.
struct Ready {
    shape: Vec<i64>,
    slot: Mutex<Slot>,
}

struct Slot {
    // Fields are dropped in this order: what belongs to the request before it, and the network last.
    outputs: Vec<Option<Output>>,
    request: Request,
    _network: Compiled,
}

/// An output that lies in the same place after each run.
struct Output {
    tensor: ApiTensor,
    shape: Shape,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpenVinoNetwork {
    pub(super) fn new(model: Model, description: Description, device: &str, precision: Precision) -> Self {
        Self {
            description,
            device: device.to_owned(),
            precision,
            model: Mutex::new(model),
            // Never grows while running.
            shapes: Mutex::new(Vec::with_capacity(MOST_SHAPES)),
        }
    }

    fn failed(&self, problem: impl std::fmt::Display) -> Error {
        Error::Inference { model: self.description.model.clone(), problem: problem.to_string() }
    }

    /// The network for a shape, compiled if need be (tens to hundreds of milliseconds).
    fn ready(&self, shape: &[i64]) -> Result<Arc<Ready>, String> {
        if let Some(ready) = self.known(shape) {
            return Ok(ready);
        }
        // One at a time; those whose shape is known go on meanwhile.
        let mut model = lock(&self.model);
        if let Some(ready) = self.known(shape) {
            return Ok(ready);
        }
        let ready = Arc::new(self.compile(&mut model, shape)?);
        let mut shapes = lock(&self.shapes);
        shapes.truncate(MOST_SHAPES - 1);
        shapes.insert(0, Arc::clone(&ready));
        Ok(ready)
    }

    fn known(&self, shape: &[i64]) -> Option<Arc<Ready>> {
        let mut shapes = lock(&self.shapes);
        let index = shapes.iter().position(|ready| ready.shape == shape)?;
        shapes[..=index].rotate_right(1);
        shapes.first().cloned()
    }

    fn compile(&self, model: &mut Model, shape: &[i64]) -> Result<Ready, String> {
        model.reshape(shape)?;
        let mut library = library::open().map_err(|_| "the library is gone")?;
        let network = library
            .with(|library| library.core(self.precision)?.compile(model, &self.device))
            .ok_or("the library is gone")??;
        let request = network.request()?;
        let outputs = model.outputs()?;
        let output = |(index, edge): (usize, super::api::Edge)| {
            if edge.shape.iter().any(Option::is_none) {
                return Ok(None);
            }
            let tensor = request.output(index)?;
            Ok(Some(Output { shape: tensor.shape()?, tensor }))
        };
        let outputs = outputs.into_iter().enumerate().map(output).collect::<Result<_, String>>()?;
        let slot = Mutex::new(Slot { outputs, request, _network: network });
        Ok(Ready { shape: shape.to_vec(), slot })
    }

    /// Runs `shape[0]` pictures, the first of which is number `first` of `all`.
    fn run_part(
        &self,
        shape: &[i64],
        values: &[f32],
        (first, all): (usize, usize),
        outputs: &mut [Tensor],
    ) -> Result<(), String> {
        let ready = self.ready(shape)?;
        let mut slot = lock(&ready.slot);
        slot.request.infer(shape, values)?;
        let count = shape.first().map_or(0, |n| usize::try_from(*n).unwrap_or(0));
        for (index, output) in outputs.iter_mut().enumerate() {
            match slot.outputs.get(index) {
                Some(Some(found)) => copy(&found.tensor, found.shape, count, (first, all), output)?,
                _ => {
                    let found = slot.request.output(index)?;
                    copy(&found, found.shape()?, count, (first, all), output)?;
                }
            }
        }
        Ok(())
    }
}

/// Copies the output of `count` pictures to where it belongs among those of `all`.
fn copy(
    found: &ApiTensor,
    mut shape: Shape,
    count: usize,
    (first, all): (usize, usize),
    output: &mut Tensor,
) -> Result<(), String> {
    let values = found.floats()?;
    if count == all {
        let place = output.reshape(shape.sizes());
        if place.len() != values.len() {
            return Err("an output has an odd shape".into());
        }
        place.copy_from_slice(values);
        return Ok(());
    }
    match shape.sizes_mut().first_mut() {
        Some(pictures) if *pictures == count => *pictures = all,
        _ => return Err("the first dimension of an output does not count pictures".into()),
    }
    let start = values.len() / count.max(1) * first;
    let place = output.reshape(shape.sizes()).get_mut(start..start + values.len());
    place.ok_or("an output has an odd shape")?.copy_from_slice(values);
    Ok(())
}

impl Network for OpenVinoNetwork {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn prepare(&self, shape: &[usize]) -> Result<()> {
        let (mut sizes, rank) =
            sizes(shape).ok_or_else(|| self.failed("the input has too many dimensions"))?;
        if self.description.inputs.first().is_some_and(|port| port.shape.first() == Some(&None)) {
            sizes[0] = 1;
        }
        self.ready(&sizes[..rank]).map(drop).map_err(|e| self.failed(e))
    }

    fn run(&self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Result<()> {
        let (mut sizes, rank) =
            sizes(shape).ok_or_else(|| self.failed("the input has too many dimensions"))?;
        let port = self.description.inputs.first();
        let all = shape.first().copied().unwrap_or(0);
        let per_picture = shape.iter().skip(1).product::<usize>();
        if !self.description.takes(shape) || all == 0 || per_picture.checked_mul(all) != Some(values.len()) {
            let wanted = port.map_or_else(String::new, ToString::to_string);
            let count = values.len();
            return Err(self.failed(format!("{count} values of shape {shape:?} are not an input {wanted}")));
        }
        outputs.resize_with(self.description.outputs.len(), Tensor::default);
        let free = port.is_some_and(|port| port.shape.first().is_some_and(Option::is_none));
        let batches = if self.device == "CPU" { BATCHES_ON_CPU } else { BATCHES };
        let mut first = 0;
        while first < all {
            let left = all - first;
            let count =
                if free { batches.iter().copied().find(|size| *size <= left).unwrap_or(1) } else { left };
            sizes[0] = i64::try_from(count).unwrap_or(1);
            let part = values.get(first * per_picture..(first + count) * per_picture).unwrap_or_default();
            self.run_part(&sizes[..rank], part, (first, all), outputs).map_err(|e| self.failed(e))?;
            first += count;
        }
        Ok(())
    }
}

/// A shape as OpenVINO counts.
fn sizes(shape: &[usize]) -> Option<([i64; MOST_DIMENSIONS], usize)> {
    let mut sizes = [0; MOST_DIMENSIONS];
    for (index, size) in shape.iter().enumerate() {
        *sizes.get_mut(index)? = i64::try_from(*size).ok()?;
    }
    Some((sizes, shape.len()))
}
