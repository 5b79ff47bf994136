//! A run of a session without the heap: `ort`'s own `Session::run` makes lists of names and values for each.

use crate::runtime::Tensor;
use ort::{
    AsPointer, api,
    session::Session,
    sys::{
        ONNXTensorElementDataType, OrtAllocatorType, OrtMemType, OrtMemoryInfo, OrtStatusPtr,
        OrtTensorTypeAndShapeInfo, OrtValue,
    },
};
use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr::{null, null_mut},
    slice,
};

type Outcome<T> = Result<T, String>;

/// Shapes with more dimensions are refused.
const MOST_DIMENSIONS: usize = 8;

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

/// Something of ONNX Runtime's, with the function that releases it.
struct Owned<T>(*mut T, unsafe extern "system" fn(*mut T));

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: made by ONNX Runtime, owned by `self` alone, and not used again.
            unsafe { (self.1)(self.0) }
        }
    }
}

fn check(status: OrtStatusPtr) -> Outcome<()> {
    if status.0.is_null() {
        return Ok(());
    }
    let status = Owned(status.0, api().ReleaseStatus);
    // SAFETY: a status that is not null has a message, valid until it is released.
    let message = unsafe { CStr::from_ptr((api().GetErrorMessage)(status.0)) };
    Err(message.to_string_lossy().into_owned())
}

impl Call {
    pub(super) fn new(session: Session) -> Outcome<Self> {
        let c_string =
            |name: &str| CString::new(name).map_err(|_| format!("the name {name:?} has a zero in it"));
        let input = session.inputs().first().map_or("", |input| input.name());
        let input = c_string(input)?;
        let outputs: Vec<CString> =
            session.outputs().iter().map(|output| c_string(output.name())).collect::<Result<_, _>>()?;
        let mut memory = Owned(null_mut(), api().ReleaseMemoryInfo);
        // SAFETY: a place for the answer.
        check(unsafe {
            (api().CreateCpuMemoryInfo)(
                OrtAllocatorType::OrtArenaAllocator,
                OrtMemType::OrtMemTypeDefault,
                &mut memory.0,
            )
        })?;
        let (names, values) = (Vec::with_capacity(outputs.len()), Vec::with_capacity(outputs.len()));
        Ok(Self { session, memory, input, outputs, names, values })
    }

    /// Runs on `values`, which are read where they lie, and copies what comes out.
    pub(super) fn run(&mut self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Outcome<()> {
        let mut sizes = [0_i64; MOST_DIMENSIONS];
        let Some(sizes) = sizes.get_mut(..shape.len()) else {
            return Err(format!("the input has {} dimensions; {MOST_DIMENSIONS} are the most", shape.len()));
        };
        for (slot, size) in sizes.iter_mut().zip(shape) {
            *slot = i64::try_from(*size).map_err(|_| "the input is too large")?;
        }
        let count = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
        if count != Some(values.len()) {
            return Err(format!("{} values are not a tensor {shape:?}", values.len()));
        }
        let mut input = Owned::<OrtValue>(null_mut(), api().ReleaseValue);
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
            let value = Owned(value, api().ReleaseValue);
            copied = copied.and_then(|()| copy(&value, output));
        }
        copied
    }
}

fn copy(value: &Owned<OrtValue>, output: &mut Tensor) -> Outcome<()> {
    if value.0.is_null() {
        return Err("an output is missing".into());
    }
    let mut about = Owned::<OrtTensorTypeAndShapeInfo>(null_mut(), api().ReleaseTensorTypeAndShapeInfo);
    let (mut rank, mut count) = (0, 0);
    let mut sizes = [0_i64; MOST_DIMENSIONS];
    let mut kind = ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    let mut start = null_mut();
    // SAFETY: a value that is there, places for the answers, and no more dimensions asked for than there is room for.
    unsafe {
        check((api().GetTensorTypeAndShape)(value.0, &mut about.0))?;
        check((api().GetTensorElementType)(about.0, &mut kind))?;
        check((api().GetDimensionsCount)(about.0, &mut rank))?;
        if kind != ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || rank > MOST_DIMENSIONS {
            return Err("an output is of another kind or has too many dimensions".into());
        }
        check((api().GetDimensions)(about.0, sizes.as_mut_ptr(), rank))?;
        check((api().GetTensorShapeElementCount)(about.0, &mut count))?;
        check((api().GetTensorMutableData)(value.0, &mut start))?;
    }
    let mut shape = [0_usize; MOST_DIMENSIONS];
    for (slot, size) in shape.iter_mut().zip(sizes) {
        *slot = usize::try_from(size).unwrap_or(0);
    }
    let place = output.reshape(&shape[..rank]);
    if place.len() != count || (count > 0 && start.is_null()) {
        return Err("an output has an odd shape".into());
    }
    if count > 0 {
        // SAFETY: a float tensor (checked above) of `count` values, which lives as long as `value`.
        place.copy_from_slice(unsafe { slice::from_raw_parts(start.cast::<f32>(), count) });
    }
    Ok(())
}
