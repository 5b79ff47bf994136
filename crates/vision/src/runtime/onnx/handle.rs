//! ONNX Runtime's C objects, each released once, and its statuses as results.

use ort::{
    api,
    sys::{
        ONNXTensorElementDataType, OrtAllocatorType, OrtMemType, OrtMemoryInfo, OrtStatusPtr,
        OrtTensorTypeAndShapeInfo, OrtValue,
    },
};
use std::{
    ffi::{CStr, CString, c_int, c_void},
    ptr::null_mut,
};

pub(super) type Outcome<T> = Result<T, String>;

/// Shapes with more dimensions are refused.
pub(super) const MOST_DIMENSIONS: usize = 8;

/// Something of ONNX Runtime's, with the function that releases it.
pub(super) struct Owned<T>(pub(super) *mut T, unsafe extern "system" fn(*mut T));

impl<T> Owned<T> {
    /// Nothing yet; the place for it is `.0`.
    pub(super) fn none(release: unsafe extern "system" fn(*mut T)) -> Self {
        Self(null_mut(), release)
    }

    /// # Safety
    /// The pointer is null, or ONNX Runtime's and nobody else's, and `release` is the function for it.
    pub(super) unsafe fn of(pointer: *mut T, release: unsafe extern "system" fn(*mut T)) -> Self {
        Self(pointer, release)
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: made by ONNX Runtime, owned by `self` alone, and not used again.
            unsafe { (self.1)(self.0) }
        }
    }
}

/// What a call answered.
pub(super) fn check(status: OrtStatusPtr) -> Outcome<()> {
    if status.0.is_null() {
        return Ok(());
    }
    // SAFETY: a status that is not null belongs to whom it is given.
    let status = unsafe { Owned::of(status.0, api().ReleaseStatus) };
    // SAFETY: a status that is not null has a message, valid until it is released.
    let message = unsafe { CStr::from_ptr((api().GetErrorMessage)(status.0)) };
    Err(message.to_string_lossy().into_owned())
}

pub(super) fn c_string(text: &str) -> Outcome<CString> {
    CString::new(text).map_err(|_| format!("{text:?} has a zero in it"))
}

/// The host's memory.
pub(super) fn host_memory() -> Outcome<Owned<OrtMemoryInfo>> {
    let mut memory = Owned::none(api().ReleaseMemoryInfo);
    // SAFETY: a place for the answer.
    check(unsafe {
        (api().CreateCpuMemoryInfo)(
            OrtAllocatorType::OrtArenaAllocator,
            OrtMemType::OrtMemTypeDefault,
            &mut memory.0,
        )
    })?;
    Ok(memory)
}

/// A GPU's memory.
pub(super) fn device_memory(card: u32) -> Outcome<Owned<OrtMemoryInfo>> {
    let card = c_int::try_from(card).map_err(|_| format!("{card} is no GPU's number"))?;
    let mut memory = Owned::none(api().ReleaseMemoryInfo);
    // SAFETY: a name that ends in NUL, and a place for the answer.
    check(unsafe {
        (api().CreateMemoryInfo)(
            c"Cuda".as_ptr(),
            OrtAllocatorType::OrtDeviceAllocator,
            card,
            OrtMemType::OrtMemTypeDefault,
            &mut memory.0,
        )
    })?;
    Ok(memory)
}

/// Dimensions as ONNX Runtime counts them.
pub(super) fn sizes<'a>(shape: &[usize], room: &'a mut [i64; MOST_DIMENSIONS]) -> Outcome<&'a [i64]> {
    let Some(sizes) = room.get_mut(..shape.len()) else {
        return Err(format!("the input has {} dimensions; {MOST_DIMENSIONS} are the most", shape.len()));
    };
    for (slot, size) in sizes.iter_mut().zip(shape) {
        *slot = i64::try_from(*size).map_err(|_| "the input is too large")?;
    }
    Ok(sizes)
}

/// A tensor of 32-bit floating-point numbers, wherever it lies.
pub(super) struct Floats {
    /// Null only where there are no numbers.
    pub(super) start: *mut c_void,
    pub(super) count: usize,
    shape: [usize; MOST_DIMENSIONS],
    rank: usize,
}

impl Floats {
    pub(super) fn of(value: &Owned<OrtValue>) -> Outcome<Self> {
        if value.0.is_null() {
            return Err("an output is missing".into());
        }
        let mut about = Owned::<OrtTensorTypeAndShapeInfo>::none(api().ReleaseTensorTypeAndShapeInfo);
        let (mut rank, mut count) = (0, 0);
        let mut sizes = [0_i64; MOST_DIMENSIONS];
        let mut kind = ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
        let mut start = null_mut();
        // SAFETY: a value that is there, places for the answers, and no more dimensions asked for than there is room for.
        unsafe {
            check((api().GetTensorTypeAndShape)(value.0, &mut about.0))?;
            check((api().GetTensorElementType)(about.0, &mut kind))?;
            check((api().GetDimensionsCount)(about.0, &mut rank))?;
            if kind != ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
                || rank > MOST_DIMENSIONS
            {
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
        if count > 0 && start.is_null() {
            return Err("an output has an odd shape".into());
        }
        Ok(Self { start, count, shape, rank })
    }

    pub(super) fn shape(&self) -> &[usize] {
        self.shape.get(..self.rank).unwrap_or(&[])
    }
}
