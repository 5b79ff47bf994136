//! OpenVINO's C interface made safe: each type owns one C object and frees it. Failures are what OpenVINO says, in a line.

use openvino_sys::{
    self as sys, ov_compiled_model_t, ov_core_t, ov_element_type_e, ov_infer_request_t, ov_model_t,
    ov_output_const_port_t, ov_shape_t, ov_status_e, ov_tensor_t,
};
use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr::{self, NonNull, null, null_mut},
    slice,
};

pub(super) type Outcome<T> = Result<T, String>;

fn check(status: ov_status_e) -> Outcome<()> {
    if status == ov_status_e::OK {
        return Ok(());
    }
    // SAFETY: returns null, or a string of its own that `ov_free` frees (src/bindings/c/src/common.cpp).
    let said = unsafe {
        let text = sys::ov_get_last_err_msg();
        let said = if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into() };
        sys::ov_free(text);
        said
    };
    Err(if said.is_empty() { format!("{status:?}") } else { in_a_line(&said) })
}

/// OpenVINO's messages are lists of source lines with the reason at the end.
fn in_a_line(message: &str) -> String {
    let reasons =
        message.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("Exception from "));
    let line = reasons.collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(300).collect();
    if short.len() < line.len() { format!("{short}…") } else { line }
}

fn c_string(text: &str) -> Outcome<CString> {
    CString::new(text).map_err(|_| format!("{text:?} has a zero in it"))
}

macro_rules! owned {
    ($(#[$doc:meta])* $name:ident: $raw:ty, $free:path) => {
        $(#[$doc])*
        pub(super) struct $name(NonNull<$raw>);

        impl $name {
            fn made_by(make: impl FnOnce(*mut *mut $raw) -> ov_status_e) -> Outcome<Self> {
                let mut made = null_mut();
                check(make(&mut made))?;
                NonNull::new(made).map(Self).ok_or_else(|| "it gave nothing".to_owned())
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: made by OpenVINO, owned by `self` alone, and not used again.
                unsafe { $free(self.0.as_ptr()) }
            }
        }

        // SAFETY: these objects belong to no thread; `&mut` and the callers' locks keep two threads from changing one at a time.
        unsafe impl Send for $name {}
    };
}

owned!(
    /// The devices and what they are set to.
    Core: ov_core_t, sys::ov_core_free
);
owned!(
    /// A network as it was read.
    Model: ov_model_t, sys::ov_model_free
);
owned!(
    /// A network made for a device and, here, for one shape of its input.
    Compiled: ov_compiled_model_t, sys::ov_compiled_model_free
);
owned!(Request: ov_infer_request_t, sys::ov_infer_request_free);
owned!(Tensor: ov_tensor_t, sys::ov_tensor_free);
owned!(ConstPort: ov_output_const_port_t, sys::ov_output_const_port_free);

impl Core {
    pub(super) fn new() -> Outcome<Self> {
        // SAFETY: the library was opened and is of a version that has this (see `library`), as for every call in this file.
        Self::made_by(|made| unsafe { sys::ov_core_create(made) })
    }

    /// For networks compiled on `device` from now on.
    pub(super) fn set(&mut self, device: &str, key: &str, value: &str) -> Outcome<()> {
        let (device, key, value) = (c_string(device)?, c_string(key)?, c_string(value)?);
        // SAFETY: three strings that outlive the call.
        check(unsafe {
            sys::ov_core_set_property(self.0.as_ptr(), device.as_ptr(), key.as_ptr(), value.as_ptr())
        })
    }

    /// A property of a device in words, such as `FULL_DEVICE_NAME`.
    pub(super) fn get(&self, device: &str, key: &str) -> Outcome<String> {
        let (device, key) = (c_string(device)?, c_string(key)?);
        let mut value: *mut c_char = null_mut();
        // SAFETY: two strings that outlive the call, and a place for the answer.
        check(unsafe {
            sys::ov_core_get_property(self.0.as_ptr(), device.as_ptr(), key.as_ptr(), &mut value)
        })?;
        Ok(taken(value))
    }

    /// "CPU", "GPU.0", …
    pub(super) fn devices(&self) -> Outcome<Vec<String>> {
        let mut list = sys::ov_available_devices_t { devices: null_mut(), size: 0 };
        // SAFETY: a place for the answer; on success `size` strings lie at `devices` until they are freed.
        unsafe {
            check(sys::ov_core_get_available_devices(self.0.as_ptr(), &mut list))?;
            let names =
                if list.devices.is_null() { &[][..] } else { slice::from_raw_parts(list.devices, list.size) };
            let names =
                names.iter().map(|name| CStr::from_ptr(*name).to_string_lossy().into_owned()).collect();
            sys::ov_available_devices_free(&mut list);
            Ok(names)
        }
    }

    /// Reads an ONNX file's bytes.
    pub(super) fn read(&self, bytes: &[u8]) -> Outcome<Model> {
        // SAFETY: `bytes` outlives the call; an ONNX file has its weights inside, hence none beside it.
        Model::made_by(|made| unsafe {
            let (start, length) = (bytes.as_ptr().cast::<c_char>(), bytes.len());
            sys::ov_core_read_model_from_memory_buffer(self.0.as_ptr(), start, length, null(), made)
        })
    }

    pub(super) fn compile(&self, model: &Model, device: &str) -> Outcome<Compiled> {
        let device = c_string(device)?;
        // SAFETY: objects that outlive the call; no properties follow, as the zero says.
        Compiled::made_by(|made| unsafe {
            sys::ov_core_compile_model(self.0.as_ptr(), model.0.as_ptr(), device.as_ptr(), 0, made)
        })
    }
}

/// A string that OpenVINO hands over.
fn taken(text: *mut c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: a string that ends in zero, owned by the caller of the function that gave it, freed once.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        sys::ov_free(text);
        copy
    }
}

/// An input or output.
pub(super) struct Edge {
    pub(super) name: String,
    /// `None` where any size will do.
    pub(super) shape: Vec<Option<usize>>,
    pub(super) float: bool,
}

impl Model {
    pub(super) fn inputs(&self) -> Outcome<Vec<Edge>> {
        let mut count = 0;
        // SAFETY: a place for the answer.
        check(unsafe { sys::ov_model_inputs_size(self.0.as_ptr(), &mut count) })?;
        let port = |index| {
            // SAFETY: as `ConstPort::made_by` asks.
            ConstPort::made_by(|made| unsafe {
                sys::ov_model_const_input_by_index(self.0.as_ptr(), index, made)
            })
        };
        (0..count).map(|index| port(index)?.describe()).collect()
    }

    pub(super) fn outputs(&self) -> Outcome<Vec<Edge>> {
        let mut count = 0;
        // SAFETY: a place for the answer.
        check(unsafe { sys::ov_model_outputs_size(self.0.as_ptr(), &mut count) })?;
        let port = |index| {
            // SAFETY: as `ConstPort::made_by` asks.
            ConstPort::made_by(|made| unsafe {
                sys::ov_model_const_output_by_index(self.0.as_ptr(), index, made)
            })
        };
        (0..count).map(|index| port(index)?.describe()).collect()
    }

    /// Fixes the shape of the only input.
    pub(super) fn reshape(&mut self, shape: &[i64]) -> Outcome<()> {
        let mut partial =
            sys::ov_partial_shape_t { rank: sys::ov_dimension_t { min: 0, max: 0 }, dims: null_mut() };
        // SAFETY: as many numbers as the rank says; what is made is freed once, after its use.
        unsafe {
            check(sys::ov_partial_shape_create_static(shape.len() as i64, shape.as_ptr(), &mut partial))?;
            let reshaped = check(sys::ov_model_reshape_single_input(self.0.as_ptr(), partial));
            sys::ov_partial_shape_free(&mut partial);
            reshaped
        }
    }
}

impl ConstPort {
    fn describe(&self) -> Outcome<Edge> {
        let port = self.0.as_ptr();
        let mut name: *mut c_char = null_mut();
        let mut kind = ov_element_type_e::DYNAMIC;
        let mut partial =
            sys::ov_partial_shape_t { rank: sys::ov_dimension_t { min: 0, max: 0 }, dims: null_mut() };
        // SAFETY: places for the answers. The shape's dimensions are as many as a fixed rank says, and freed once, after
        // their use.
        unsafe {
            check(sys::ov_port_get_any_name(port, &mut name))?;
            let name = taken(name);
            check(sys::ov_port_get_element_type(port, &mut kind))?;
            check(sys::ov_port_get_partial_shape(port, &mut partial))?;
            let rank = if partial.rank.min == partial.rank.max { partial.rank.max } else { 0 };
            let dimensions = match usize::try_from(rank) {
                Ok(rank) if !partial.dims.is_null() => slice::from_raw_parts(partial.dims, rank),
                _ => &[],
            };
            let size =
                |d: &sys::ov_dimension_t| (d.min == d.max).then(|| usize::try_from(d.max).ok()).flatten();
            let shape = dimensions.iter().map(size).collect();
            sys::ov_partial_shape_free(&mut partial);
            Ok(Edge { name, shape, float: kind == ov_element_type_e::F32 })
        }
    }
}

impl Compiled {
    pub(super) fn request(&self) -> Outcome<Request> {
        // SAFETY: as `Request::made_by` asks.
        Request::made_by(|made| unsafe { sys::ov_compiled_model_create_infer_request(self.0.as_ptr(), made) })
    }
}

impl Request {
    /// Runs on `values`, which are read where they lie.
    pub(super) fn infer(&mut self, shape: &[i64], values: &[f32]) -> Outcome<()> {
        let count = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(usize::try_from(*n).ok()?));
        if count != Some(values.len()) {
            return Err(format!("{} values are not a tensor {shape:?}", values.len()));
        }
        let c_shape = ov_shape_t { rank: shape.len() as i64, dims: shape.as_ptr().cast_mut() };
        let start = values.as_ptr().cast::<c_void>().cast_mut();
        // SAFETY: the shape and the pointer cover `values` exactly (checked above). Inputs are only read. The request goes on
        // naming this memory after the call, but reads it in `infer` alone, and each `infer` names its own first.
        unsafe {
            let input = Tensor::made_by(|made| {
                sys::ov_tensor_create_from_host_ptr(ov_element_type_e::F32, c_shape, start, made)
            })?;
            let request = self.0.as_ptr();
            check(sys::ov_infer_request_set_input_tensor_by_index(request, 0, input.0.as_ptr()))?;
            check(sys::ov_infer_request_infer(request))
        }
    }

    /// Where an output lies. With a fixed shape it is the same one after every run.
    pub(super) fn output(&self, index: usize) -> Outcome<Tensor> {
        // SAFETY: as `Tensor::made_by` asks.
        Tensor::made_by(|made| unsafe {
            sys::ov_infer_request_get_output_tensor_by_index(self.0.as_ptr(), index, made)
        })
    }
}

/// Networks whose outputs have more dimensions are refused.
const MOST_DIMENSIONS: usize = 8;

/// A shape without a heap.
#[derive(Clone, Copy, Default)]
pub(super) struct Shape {
    sizes: [usize; MOST_DIMENSIONS],
    rank: usize,
}

impl Shape {
    pub(super) fn sizes(&self) -> &[usize] {
        &self.sizes[..self.rank]
    }
    pub(super) fn sizes_mut(&mut self) -> &mut [usize] {
        &mut self.sizes[..self.rank]
    }
}

impl Tensor {
    pub(super) fn shape(&self) -> Outcome<Shape> {
        let mut found = ov_shape_t { rank: 0, dims: null_mut() };
        // SAFETY: a place for the answer; on success `rank` numbers lie at `dims` until they are freed.
        unsafe {
            check(sys::ov_tensor_get_shape(self.0.as_ptr(), &mut found))?;
            let rank = usize::try_from(found.rank).unwrap_or(0);
            let mut shape = Shape { rank: rank.min(MOST_DIMENSIONS), ..Shape::default() };
            if rank > 0 && !found.dims.is_null() {
                let sizes = slice::from_raw_parts(found.dims, rank);
                for (slot, size) in shape.sizes.iter_mut().zip(sizes) {
                    *slot = usize::try_from(*size).unwrap_or(0);
                }
            }
            check(sys::ov_shape_free(&mut found))?;
            if rank > MOST_DIMENSIONS {
                return Err(format!("an output has {rank} dimensions; {MOST_DIMENSIONS} are the most"));
            }
            Ok(shape)
        }
    }

    /// The values, of a tensor of 32-bit floating-point numbers that lies in this machine's memory.
    pub(super) fn floats(&self) -> Outcome<&[f32]> {
        let mut kind = ov_element_type_e::DYNAMIC;
        let (mut count, mut start) = (0, null_mut());
        // SAFETY: places for the answers. The data are `count` values of the type asked for, aligned by OpenVINO's allocator;
        // nothing writes to them while `self` is borrowed, as the request they belong to is behind the same lock.
        unsafe {
            check(sys::ov_tensor_get_element_type(self.0.as_ptr(), &mut kind))?;
            if kind != ov_element_type_e::F32 {
                return Err("an output is not of 32-bit floating-point numbers".into());
            }
            check(sys::ov_tensor_get_size(self.0.as_ptr(), &mut count))?;
            if count == 0 {
                return Ok(&[]);
            }
            check(sys::ov_tensor_data(self.0.as_ptr(), &mut start))?;
            if start.is_null() || !start.cast::<f32>().is_aligned() {
                return Err("an output lies nowhere".into());
            }
            Ok(&*ptr::slice_from_raw_parts(start.cast::<f32>(), count))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_its_reason() {
        let message = "Exception from src/inference/src/cpp/core.cpp:126:\nException from src/x.cc:7:\n\nNo such device.\n";
        assert_eq!(in_a_line(message), "No such device.");
        assert!(in_a_line(&"x".repeat(400)).ends_with("x…"));
    }
}
