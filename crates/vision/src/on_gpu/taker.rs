//! What is wanted of a network's outputs while they are in the GPU's memory, and how it comes to the host.

use super::defect;
use crate::{
    Result,
    cuda::{
        Gpu, Payload, PinnedBuffer, Place, Stream,
        decode::{DecodeBuffers, DecodePicture, DeviceDecoder, Suppression},
    },
    decode::Detection,
    runtime::{GpuTensor, Tensor},
};
use std::sync::Arc;

/// Takes results. Enqueues its work behind the run, on the network's stream, and is read later, by whom it belongs to.
#[derive(Default)]
pub(crate) enum Taker {
    #[default]
    Nothing,
    Values(Values),
    Faces(Faces),
}

impl Taker {
    /// A taker of all numbers, for so many pictures. Keeps its memory.
    pub(crate) fn values(&mut self, pictures: usize) {
        match self {
            Self::Values(values) => values.pictures = pictures,
            other => *other = Self::Values(Values { pictures, ..Values::default() }),
        }
    }

    /// `outputs`: of the whole batch; `first`: the first picture of ours in it.
    pub(super) fn enqueue(
        &mut self,
        gpu: &Gpu,
        stream: &Stream,
        outputs: &[GpuTensor],
        first: usize,
    ) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Values(values) => values.enqueue(gpu, stream, outputs, first),
            Self::Faces(faces) => faces.enqueue(stream, outputs, first),
        }
    }

    /// Waits for the numbers, which replace what `outputs` held.
    pub(crate) fn read_values(&mut self, outputs: &mut Vec<Tensor>) -> Result<()> {
        match self {
            Self::Values(values) => values.read(outputs),
            _ => Err(defect("numbers were asked for that nobody has taken")),
        }
    }

    /// Waits for the faces: as fractions of the input, most confident first.
    pub(crate) fn read_faces(&mut self) -> Result<&[Detection]> {
        match self {
            Self::Faces(faces) => faces.decoder.read(&mut faces.buffers, 0),
            _ => Err(defect("faces were asked for that nobody has taken")),
        }
    }
}

/// All outputs, as they are: for networks that put out little.
#[derive(Default)]
pub(crate) struct Values {
    pictures: usize,
    outputs: Vec<Output>,
    used: usize,
}

#[derive(Default)]
struct Output {
    shape: Vec<usize>,
    memory: Option<PinnedBuffer>,
}

impl Values {
    fn enqueue(&mut self, gpu: &Gpu, stream: &Stream, outputs: &[GpuTensor], first: usize) -> Result<()> {
        self.used = 0;
        if self.outputs.len() < outputs.len() {
            self.outputs.resize_with(outputs.len(), Output::default);
        }
        for (tensor, output) in outputs.iter().zip(&mut self.outputs) {
            let batch = tensor.shape.first().copied().unwrap_or(0);
            if first + self.pictures > batch {
                return Err(defect(format!("a network answered {batch} pictures with {:?}", tensor.shape)));
            }
            let of_picture = tensor.count() / batch.max(1) * size_of::<f32>();
            output.shape.clear();
            output.shape.push(self.pictures);
            output.shape.extend(tensor.shape.iter().skip(1));
            let bytes = of_picture * self.pictures;
            let fits = |memory: &PinnedBuffer| memory.len() >= bytes && memory.gpu().is_same_context(gpu);
            let memory = match output.memory.take().filter(fits) {
                Some(memory) => output.memory.insert(memory),
                None => output.memory.insert(gpu.pinned(bytes.next_power_of_two())?),
            };
            let address = tensor.address + (first * of_picture) as u64;
            memory.read(stream, Place { gpu, address }, bytes, Payload::Results)?;
        }
        self.used = outputs.len();
        Ok(())
    }

    fn read(&mut self, outputs: &mut Vec<Tensor>) -> Result<()> {
        outputs.resize_with(self.used, Tensor::default);
        for (from, to) in self.outputs.iter_mut().zip(outputs) {
            let memory = from.memory.as_mut().ok_or_else(|| defect("an output has not come"))?;
            let values = memory.values::<f32>()?;
            let place = to.reshape(&from.shape);
            if place.len() != values.len() {
                return Err(defect("an output has another size than was said"));
            }
            place.copy_from_slice(values);
        }
        Ok(())
    }
}

/// The faces that a detector found: decoded on the GPU, so that only the boxes that stay come back.
pub(crate) struct Faces {
    decoder: Arc<DeviceDecoder>,
    buffers: DecodeBuffers,
    threshold: f32,
    suppression: Suppression,
    size: (usize, usize),
}

impl Faces {
    /// In one picture of `size`. Keeps the memory of `taker`, if it has taken faces before.
    pub(crate) fn prepare(
        taker: &mut Taker,
        decoder: &Arc<DeviceDecoder>,
        threshold: f32,
        suppression: Suppression,
        size: (usize, usize),
    ) {
        let buffers = match std::mem::take(taker) {
            Taker::Faces(faces) => faces.buffers,
            _ => DecodeBuffers::default(),
        };
        *taker = Taker::Faces(Self { decoder: Arc::clone(decoder), buffers, threshold, suppression, size });
    }

    fn enqueue(&mut self, stream: &Stream, outputs: &[GpuTensor], first: usize) -> Result<()> {
        let _timed = stream.stage("decode");
        let picture = DecodePicture { item: first, threshold: self.threshold };
        let Self { decoder, buffers, suppression, size, .. } = self;
        decoder.enqueue(stream, outputs, &[picture], *size, *suppression, buffers)
    }
}
