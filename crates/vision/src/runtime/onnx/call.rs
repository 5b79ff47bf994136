//! A run of a session without the heap: `ort`'s own `Session::run` makes lists of names and values for each.

use super::handle::{Floats, Outcome, Owned, c_string, check, host_memory, sizes};
use crate::runtime::Tensor;
use ort::{
    AsPointer, api,
    session::Session,
    sys::{ONNXTensorElementDataType, OrtMemoryInfo, OrtValue},
};
use std::{
    ffi::{CString, c_char, c_void},
    ptr::{null, null_mut},
    slice,
};

/// A session with one input, and what each run needs.
pub(super) struct Call {
    session: Session,
    memory: Owned<OrtMemoryInfo>,
    input: CString,
    outputs: Vec<CString>,
    /// Room for the pointers to the output's names, and to the outputs.
    names: Vec<*const c_char>,
    values: Vec<*mut OrtValue>,
}

// SAFETY: the pointers in `names` and `values` are not used between runs, and nothing else in here belongs to a thread.
unsafe impl Send for Call {}

impl Call {
    pub(super) fn new(session: Session) -> Outcome<Self> {
        let input = session.inputs().first().map_or("", |input| input.name());
        let input = c_string(input)?;
        let outputs: Vec<CString> =
            session.outputs().iter().map(|output| c_string(output.name())).collect::<Result<_, _>>()?;
        let memory = host_memory()?;
        let (names, values) = (Vec::with_capacity(outputs.len()), Vec::with_capacity(outputs.len()));
        Ok(Self { session, memory, input, outputs, names, values })
    }

    /// Runs on `values`, which are read where they lie, and copies what comes out.
    pub(super) fn run(&mut self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Outcome<()> {
        let mut room = [0; _];
        let sizes = sizes(shape, &mut room)?;
        let count = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
        if count != Some(values.len()) {
            return Err(format!("{} values are not a tensor {shape:?}", values.len()));
        }
        let mut input = Owned::<OrtValue>::none(api().ReleaseValue);
        // SAFETY: the pointer and the shape cover `values` exactly (checked above), which outlive `input`; inputs are only read.
        check(unsafe {
            (api().CreateTensorWithDataAsOrtValue)(
                self.memory.0,
                values.as_ptr().cast::<c_void>().cast_mut(),
                size_of_val(values),
                sizes.as_ptr(),
                sizes.len(),
                ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                &mut input.0,
            )
        })?;
        self.names.clear();
        self.names.extend(self.outputs.iter().map(|name| name.as_ptr()));
        self.values.clear();
        self.values.resize(self.outputs.len(), null_mut());
        let input_name = self.input.as_ptr();
        // SAFETY: one input and `outputs.len()` outputs with their names, all valid during the call; null asks ONNX Runtime to
        // allocate an output. `&mut self` keeps the session from running twice at once.
        let ran = check(unsafe {
            (api().Run)(
                self.session.ptr().cast_mut(),
                null(),
                &input_name,
                &input.0.cast_const(),
                1,
                self.names.as_ptr(),
                self.outputs.len(),
                self.values.as_mut_ptr(),
            )
        });
        outputs.resize_with(self.outputs.len(), Tensor::default);
        let mut copied = ran;
        for (value, output) in self.values.drain(..).zip(outputs) {
            // Released whatever happens.
            // SAFETY: filled in by ONNX Runtime for us, or null.
            let value = unsafe { Owned::of(value, api().ReleaseValue) };
            copied = copied.and_then(|()| copy(&value, output));
        }
        copied
    }
}

fn copy(value: &Owned<OrtValue>, output: &mut Tensor) -> Outcome<()> {
    let floats = Floats::of(value)?;
    let place = output.reshape(floats.shape());
    if place.len() != floats.count {
        return Err("an output has an odd shape".into());
    }
    if floats.count > 0 {
        // SAFETY: a float tensor of `count` values in the host's memory, which lives as long as `value`.
        place.copy_from_slice(unsafe { slice::from_raw_parts(floats.start.cast::<f32>(), floats.count) });
    }
    Ok(())
}
