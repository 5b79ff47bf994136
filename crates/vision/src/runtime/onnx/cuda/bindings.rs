//! Inputs and outputs of a session in device memory, one set for each size of batch, and the session's runs on them.
//!
//! CUDA graphs replay a run's kernels with the addresses that they had when they were captured: so addresses are fixed for each
//! size, and sizes are few.

use super::super::handle::{Floats, MOST_DIMENSIONS, Outcome, Owned, c_string, check, device_memory, sizes};
use crate::{cuda::capture, runtime::GpuTensor};
use ort::{
    AsPointer, api,
    session::Session,
    sys::{ONNXTensorElementDataType, OrtAllocator, OrtIoBinding, OrtMemoryInfo, OrtRunOptions, OrtValue},
};
use std::{
    ffi::{CStr, CString},
    ptr::null_mut,
};

/// Sizes of batch that graphs are captured for; a batch is filled up to the next one.
pub(super) const BATCHES: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// As many sizes are kept: six batches of a detector's two passes and some more. The one not used for longest goes first.
const MOST_SIZES: usize = 16;
/// As many graphs are captured in a session's life, since ONNX Runtime frees none before its end: a stream that changes its size
/// all the time must not fill the card.
const MOST_GRAPHS: i32 = 64;
/// The run option that names a graph; -1: run without one.
const GRAPH: &CStr = c"gpu_graph_id";
const WITHOUT: i32 = -1;
/// The run option by which a run does not wait for the device at its end.
const NO_WAITING: &CStr = c"disable_synchronize_execution_providers";

/// A batch as it is run: the next of the fixed sizes, or of the multiples of the largest.
pub(super) fn padded(count: usize) -> usize {
    let largest = BATCHES[BATCHES.len() - 1];
    BATCHES.into_iter().find(|size| *size >= count).unwrap_or_else(|| count.next_multiple_of(largest))
}

/// A session and its device memory. All calls come from one thread: ONNX Runtime keeps graphs by thread.
pub(super) struct Bindings {
    // Before the session, whose memory it is.
    sizes: Vec<Size>,
    allocator: Owned<OrtAllocator>,
    memory: Owned<OrtMemoryInfo>,
    session: Session,
    input: CString,
    outputs: Vec<CString>,
    half: bool,
    /// Whether runs are captured.
    graphs: bool,
    next_graph: i32,
    notes: Vec<String>,
}

/// What a batch of one size needs.
struct Size {
    // Dropped in this order: the binding refers to the values.
    binding: Owned<OrtIoBinding>,
    input: Owned<OrtValue>,
    address: u64,
    /// Kept from the first run, for graphs to write to; else of the last run.
    outputs: Vec<Owned<OrtValue>>,
    options: Owned<OrtRunOptions>,
    state: State,
    shape: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// Outputs have fixed places, and the run has been captured.
    Captured,
    /// Outputs are made anew by each run.
    Free,
}

impl Bindings {
    /// `graphs`: the session was made to capture them.
    pub(super) fn new(session: Session, card: u32, half: bool, graphs: bool) -> Outcome<Self> {
        let memory = device_memory(card)?;
        let mut allocator = Owned::<OrtAllocator>::none(api().ReleaseAllocator);
        // SAFETY: a session and a description of memory that are there, and a place for the answer.
        check(unsafe { (api().CreateAllocator)(session.ptr(), memory.0, &mut allocator.0) })?;
        let input = c_string(session.inputs().first().map_or("", |input| input.name()))?;
        let outputs = session.outputs().iter().map(|o| c_string(o.name())).collect::<Outcome<_>>()?;
        Ok(Self {
            sizes: Vec::with_capacity(MOST_SIZES),
            allocator,
            memory,
            session,
            input,
            outputs,
            half,
            graphs,
            next_graph: 1,
            notes: Vec::new(),
        })
    }

    /// Where the input of this (padded) shape is to be written; made if need be.
    pub(super) fn input(&mut self, shape: &[usize]) -> Outcome<u64> {
        if let Some(at) = self.sizes.iter().position(|size| size.shape == shape) {
            // The one used last is the last one.
            let size = self.sizes.remove(at);
            let address = size.address;
            self.sizes.push(size);
            return Ok(address);
        }
        if self.sizes.len() >= MOST_SIZES {
            self.sizes.remove(0);
        }
        let size = self.new_size(shape)?;
        let address = size.address;
        self.sizes.push(size);
        Ok(address)
    }

    fn new_size(&self, shape: &[usize]) -> Outcome<Size> {
        let _no_capture = capture::keep_out();
        let mut room = [0; MOST_DIMENSIONS];
        let dimensions = sizes(shape, &mut room)?;
        let kind = if self.half {
            ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16
        } else {
            ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
        };
        let mut input = Owned::<OrtValue>::none(api().ReleaseValue);
        let mut start = null_mut();
        let mut binding = Owned::<OrtIoBinding>::none(api().ReleaseIoBinding);
        let mut options = Owned::<OrtRunOptions>::none(api().ReleaseRunOptions);
        // SAFETY: an allocator, a session and a shape that are there, names that end in NUL, and places for the answers.
        unsafe {
            check((api().CreateTensorAsOrtValue)(
                self.allocator.0,
                dimensions.as_ptr(),
                dimensions.len(),
                kind,
                &mut input.0,
            ))?;
            check((api().GetTensorMutableData)(input.0, &mut start))?;
            check((api().CreateIoBinding)(self.session.ptr().cast_mut(), &mut binding.0))?;
            check((api().BindInput)(binding.0, self.input.as_ptr(), input.0))?;
            check((api().CreateRunOptions)(&mut options.0))?;
            check((api().AddRunConfigEntry)(options.0, NO_WAITING.as_ptr(), c"1".as_ptr()))?;
        }
        let address = start.expose_provenance() as u64;
        let size = Size {
            binding,
            input,
            address,
            outputs: Vec::new(),
            options,
            state: State::New,
            shape: shape.to_vec(),
        };
        size.use_graph(WITHOUT)?;
        Ok(size)
    }

    /// Runs what was asked for last, and says where the outputs lie.
    pub(super) fn run(&mut self, outputs: &mut Vec<GpuTensor>) -> Outcome<()> {
        let Some(mut size) = self.sizes.pop() else { return Err("it was given no input".into()) };
        let ran = self.run_size(&mut size);
        let told = ran.and_then(|()| size.tell(outputs));
        // Whatever happened: its memory is of use for the next run.
        self.sizes.push(size);
        told
    }

    fn run_size(&mut self, size: &mut Size) -> Outcome<()> {
        match size.state {
            State::Captured => return self.go(size),
            State::Free => return self.go_free(size),
            State::New => self.go_free(size)?,
        }
        let batch = size.shape.first().copied().unwrap_or(0);
        if !self.graphs || self.next_graph > MOST_GRAPHS || !BATCHES.contains(&batch) {
            size.state = State::Free;
            return Ok(());
        }
        // While others load or run networks it would fail, and so might they: after the next run of this size, then.
        let Some(alone) = capture::begin() else { return Ok(()) };
        let captured = self.capture(size);
        drop(alone);
        match captured {
            Ok(()) => size.state = State::Captured,
            // Whatever else uses the GPU may have spoiled it; without a graph everything works as well, only slower.
            Err(problem) => {
                size.state = State::Free;
                self.graphs = false;
                self.notes.push(format!("no CUDA graphs: {problem}"));
                size.use_graph(WITHOUT)?;
                self.go_free(size)?;
            }
        }
        Ok(())
    }

    /// Keeps the outputs where the first run put them, and captures a second run, whose results are the same.
    fn capture(&mut self, size: &mut Size) -> Outcome<()> {
        // SAFETY: a binding that is there; the values are kept beside it.
        unsafe { (api().ClearBoundOutputs)(size.binding.0) };
        for (name, value) in self.outputs.iter().zip(&size.outputs) {
            // SAFETY: a binding, a name and a value that are there.
            check(unsafe { (api().BindOutput)(size.binding.0, name.as_ptr(), value.0) })?;
        }
        size.use_graph(self.next_graph)?;
        self.next_graph += 1;
        self.go(size)
    }

    /// A run that makes its outputs anew: their shapes may be others than the last time.
    fn go_free(&self, size: &mut Size) -> Outcome<()> {
        let _no_capture = capture::keep_out();
        size.outputs.clear();
        // SAFETY: a binding that is there.
        unsafe { (api().ClearBoundOutputs)(size.binding.0) };
        for name in &self.outputs {
            // SAFETY: a binding, a name and a description of memory that are there.
            check(unsafe { (api().BindOutputToDevice)(size.binding.0, name.as_ptr(), self.memory.0) })?;
        }
        self.go(size)?;
        size.outputs = bound_outputs(&size.binding)?;
        Ok(())
    }

    fn go(&self, size: &Size) -> Outcome<()> {
        // SAFETY: a session, options and a binding of that session, which hold all that the run reads and writes; one run at a time.
        check(unsafe {
            (api().RunWithBinding)(self.session.ptr().cast_mut(), size.options.0, size.binding.0)
        })
    }

    /// What there is to be known of, once.
    pub(super) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Where the inputs of all sizes lie, and how many bytes: pictures of people, to be wiped in the end.
    pub(super) fn inputs(&self) -> impl Iterator<Item = (u64, usize)> {
        let width = if self.half { 2 } else { 4 };
        self.sizes.iter().map(move |size| (size.address, size.shape.iter().product::<usize>() * width))
    }
}

impl Size {
    fn use_graph(&self, number: i32) -> Outcome<()> {
        let number = c_string(&number.to_string())?;
        // SAFETY: options that are there, and texts that end in NUL, which are copied.
        check(unsafe { (api().AddRunConfigEntry)(self.options.0, GRAPH.as_ptr(), number.as_ptr()) })
    }

    fn tell(&self, outputs: &mut Vec<GpuTensor>) -> Outcome<()> {
        // The values stay alive with the binding, and the input with them.
        debug_assert!(!self.input.0.is_null());
        outputs.resize_with(self.outputs.len(), GpuTensor::default);
        for (value, output) in self.outputs.iter().zip(outputs) {
            let floats = Floats::of(value)?;
            output.address = floats.start.expose_provenance() as u64;
            output.shape.clear();
            output.shape.extend_from_slice(floats.shape());
        }
        Ok(())
    }
}

/// The values that the last run put into a binding, in the order in which they were bound.
fn bound_outputs(binding: &Owned<OrtIoBinding>) -> Outcome<Vec<Owned<OrtValue>>> {
    let mut allocator = null_mut();
    let (mut list, mut count) = (null_mut::<*mut OrtValue>(), 0);
    // SAFETY: a binding that is there, and places for the answers; the default allocator is nobody's to release.
    unsafe {
        check((api().GetAllocatorWithDefaultOptions)(&mut allocator))?;
        check((api().GetBoundOutputValues)(binding.0, allocator, &mut list, &mut count))?;
    }
    if list.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: `count` values, each ours to release.
    let values = unsafe {
        std::slice::from_raw_parts(list, count)
            .iter()
            .map(|value| Owned::of(*value, api().ReleaseValue))
            .collect()
    };
    // SAFETY: the list came from this allocator; the values in it have been taken over.
    check(unsafe { (api().AllocatorFree)(allocator, list.cast()) })?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_filled_up_to_few_sizes() {
        let sizes = [1, 2, 3, 5, 8, 9, 31, 32, 33, 64, 65].map(padded);
        assert_eq!(sizes, [1, 2, 4, 8, 8, 16, 32, 32, 64, 64, 96]);
    }
}
