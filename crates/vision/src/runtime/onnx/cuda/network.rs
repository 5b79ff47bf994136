//! A network on a GPU as the rest of the program sees it.

use super::{
    super::tensorrt::{Engines, MOST_PICTURES},
    bindings::padded,
    engine::Engine,
    failure,
};
use crate::{
    Error, Result,
    cuda::{Gpu, Payload, Place, Stream},
    half,
    runtime::{Description, GpuNetwork, GpuSession, GpuTensor, Network, Notices, Tensor},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) struct CudaNetwork {
    // Dropped in this order: the thread with the session before the stream that it works on.
    engine: Engine,
    held: Mutex<Held>,
    stream: Arc<Stream>,
    gpu: Gpu,
    description: Description,
    half: bool,
    /// TensorRT's, where it is TensorRT that runs.
    engines: Option<Engines>,
    notices: Notices,
}

/// What belongs to whoever has the network.
#[derive(Default)]
struct Held {
    outputs: Vec<GpuTensor>,
    /// The padded shape of the input asked for last, and where it is.
    last: Option<(Vec<usize>, u64)>,
    /// Pictures of the batch asked for last.
    count: usize,
    /// An input on its way to the device, in 16 bits.
    halves: Vec<u16>,
}

impl CudaNetwork {
    pub(super) fn new(
        engine: Engine,
        stream: Arc<Stream>,
        gpu: Gpu,
        description: Description,
        half: bool,
        engines: Option<Engines>,
    ) -> Self {
        let notices = Notices::default();
        Self { engine, held: Mutex::default(), stream, gpu, description, half, engines, notices }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, problem: &str) -> Error {
        failure::error(&format!("model \"{}\" failed to run", self.description.model), problem)
    }

    /// Not the GPU's fault: no other device would do better.
    fn misused(&self, problem: &str) -> Error {
        Error::Inference { model: self.description.model.clone(), problem: problem.to_owned() }
    }

    fn take(&self) -> Result<Session<'_>> {
        if self.gpu.is_lost() {
            return Err(self.failed("device lost"));
        }
        let mut held = self.held();
        held.outputs.clear();
        held.count = 0;
        Ok(Session { network: self, held })
    }
}

impl Network for CudaNetwork {
    fn describe(&self) -> &Description {
        &self.description
    }

    /// Runs on whatever is in the input's memory, so that algorithms are chosen and the graph is captured.
    fn prepare(&self, shape: &[usize]) -> Result<()> {
        let mut session = self.take()?;
        session.input(shape)?;
        session.run()?;
        drop(session);
        self.stream.synchronize()?;
        if let Some(engines) = &self.engines {
            engines.set_ready();
        }
        Ok(())
    }

    fn run(&self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Result<()> {
        let count = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
        if count != Some(values.len()) {
            return Err(self.misused(&format!("{} values are not a tensor {shape:?}", values.len())));
        }
        let mut session = self.take()?;
        let address = session.input(shape)?;
        let place = || Place { gpu: &self.gpu, address };
        if self.half {
            let mut halves = std::mem::take(&mut session.held.halves);
            halves.clear();
            halves.extend(values.iter().map(|value| half::from_f32(*value)));
            let sent = self.stream.upload(place(), &halves, Payload::Pixels);
            // Not to be found by whoever gets the memory next.
            halves.fill(0);
            session.held.halves = halves;
            sent?;
        } else {
            self.stream.upload(place(), values, Payload::Pixels)?;
        }
        session.run()?;
        outputs.resize_with(session.outputs().len(), Tensor::default);
        for (from, to) in session.outputs().iter().zip(outputs) {
            let values = to.reshape(&from.shape);
            if !values.is_empty() {
                let place = Place { gpu: &self.gpu, address: from.address };
                self.stream.download(place, values, Payload::Results)?;
            }
        }
        Ok(())
    }

    fn gpu(&self) -> Option<&dyn GpuNetwork> {
        Some(self)
    }

    fn notices(&self) -> Option<&Notices> {
        Some(&self.notices)
    }
}

impl GpuNetwork for CudaNetwork {
    fn session(&self) -> Result<Box<dyn GpuSession + '_>> {
        Ok(Box::new(self.take()?))
    }
    fn half_input(&self) -> bool {
        self.half
    }
    fn gpu(&self) -> &Gpu {
        &self.gpu
    }
}

struct Session<'a> {
    network: &'a CudaNetwork,
    held: MutexGuard<'a, Held>,
}

impl GpuSession for Session<'_> {
    fn stream(&self) -> &Stream {
        &self.network.stream
    }

    fn input(&mut self, shape: &[usize]) -> Result<u64> {
        let network = self.network;
        let (Some(count), true) =
            (shape.first().copied().filter(|n| *n > 0), network.description.takes(shape))
        else {
            return Err(network.misused(&format!("its input cannot be {shape:?}")));
        };
        let fixed = network
            .description
            .inputs
            .first()
            .is_some_and(|port| port.shape.first().is_some_and(Option::is_some));
        let batch = if fixed { count } else { padded(count) };
        if network.engines.is_some() && batch > MOST_PICTURES {
            return Err(
                network.misused(&format!("TensorRT's engine takes at most {MOST_PICTURES} pictures at once"))
            );
        }
        let held = &mut *self.held;
        held.outputs.clear();
        held.count = count;
        if let Some((known, address)) = &held.last
            && known.first() == Some(&batch)
            && known.get(1..) == shape.get(1..)
        {
            return Ok(*address);
        }
        let mut padded = shape.to_vec();
        padded[0] = batch;
        held.last = None;
        let address = network.engine.input(&padded).map_err(|e| network.failed(&e))?;
        held.last = Some((padded, address));
        Ok(address)
    }

    fn run(&mut self) -> Result<()> {
        let network = self.network;
        let held = &mut *self.held;
        let Some(batch) =
            held.last.as_ref().filter(|_| held.count > 0).and_then(|(shape, _)| shape.first().copied())
        else {
            return Err(network.misused("it was given no input"));
        };
        match network.engine.run(&mut held.outputs) {
            Ok(notes) => {
                notes.into_iter().for_each(|note| network.notices.warn(&network.description.model, note))
            }
            Err(problem) => {
                held.outputs.clear();
                return Err(network.failed(&problem));
            }
        }
        for output in &mut held.outputs {
            if let Some(first) = output.shape.first_mut().filter(|first| **first == batch) {
                *first = held.count;
            }
        }
        Ok(())
    }

    fn outputs(&self) -> &[GpuTensor] {
        &self.held.outputs
    }
}

/// Overwrites inputs, which are pictures of people, before their memory goes back to ONNX Runtime. What fails here has no remedy:
/// the context is dead, and its memory with it.
pub(super) fn wipe(gpu: &Gpu, stream: &Stream, inputs: impl Iterator<Item = (u64, usize)>) {
    for (address, bytes) in inputs {
        if stream.clear(Place { gpu, address }, bytes).is_err() {
            return;
        }
    }
    let _ = stream.synchronize();
}
