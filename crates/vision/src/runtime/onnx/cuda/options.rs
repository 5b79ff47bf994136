//! What ONNX Runtime's CUDA provider is told.

use super::super::handle::{Outcome, Owned, c_string, check};
use crate::runtime::Precision;
use ort::{AsPointer, api, session::builder::SessionBuilder, sys::OrtCUDAProviderOptionsV2};
use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr::null_mut,
};

pub(in crate::runtime::onnx) type Pairs = Vec<(&'static str, String)>;

/// The name by which both providers know the stream.
const STREAM: &CStr = c"user_compute_stream";

/// `memory`: bytes that the card has. `stream`: a `CUstream`.
pub(super) fn options(
    card: u32,
    memory: u64,
    stream: *mut c_void,
    precision: Precision,
    graphs: bool,
) -> Pairs {
    let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
    vec![
        ("device_id", card.to_string()),
        // In 32 bits the numbers are to be those of the CPU: TensorFloat-32 has 10 bits of mantissa.
        ("use_tf32", flag(precision == Precision::Fast)),
        // Trying all algorithms takes seconds for each network and size, and may choose another one each time.
        ("cudnn_conv_algo_search", "HEURISTIC".to_owned()),
        // What is asked for, rather than the next power of two: the card is shared with decoders and other networks.
        ("arena_extend_strategy", "kSameAsRequested".to_owned()),
        // So that one network that goes wrong leaves something for the others.
        ("gpu_mem_limit", (memory / 2).max(1 << 28).to_string()),
        ("enable_cuda_graph", flag(graphs)),
        ("has_user_compute_stream", flag(true)),
        ("user_compute_stream", stream.expose_provenance().to_string()),
    ]
}

/// Adds the CUDA provider to a session to be.
pub(in crate::runtime::onnx) fn append(
    builder: &SessionBuilder,
    options: &Pairs,
    stream: *mut c_void,
) -> Outcome<()> {
    let mut made = Owned::<OrtCUDAProviderOptionsV2>::none(api().ReleaseCUDAProviderOptions);
    // SAFETY: a place for the answer.
    check(unsafe { (api().CreateCUDAProviderOptions)(&mut made.0) })?;
    let texts = CStrings::new(options)?;
    // SAFETY: as many keys as values, all ending in NUL, which are copied.
    check(unsafe {
        (api().UpdateCUDAProviderOptions)(
            made.0,
            texts.keys.as_ptr(),
            texts.values.as_ptr(),
            texts.keys.len(),
        )
    })?;
    let mut taken = null_mut();
    // SAFETY: options that are there, a name that ends in NUL, a pointer that is only kept, and a place for the answer.
    unsafe {
        check((api().UpdateCUDAProviderOptionsWithValue)(made.0, STREAM.as_ptr(), stream))?;
        check((api().GetCUDAProviderOptionsByName)(made.0, STREAM.as_ptr(), &mut taken))?;
    }
    if taken != stream {
        return Err("it does not take a stream of ours".into());
    }
    // SAFETY: options of a session that has not been made yet, to which nobody else has access during the call; those of the
    // provider are copied.
    check(unsafe { (api().SessionOptionsAppendExecutionProvider_CUDA_V2)(builder.ptr().cast_mut(), made.0) })
}

/// Keys and values as C wants them.
pub(in crate::runtime::onnx) struct CStrings {
    pub(in crate::runtime::onnx) keys: Vec<*const c_char>,
    pub(in crate::runtime::onnx) values: Vec<*const c_char>,
    _texts: Vec<(CString, CString)>,
}

impl CStrings {
    pub(in crate::runtime::onnx) fn new(options: &Pairs) -> Outcome<Self> {
        let texts: Vec<(CString, CString)> = options
            .iter()
            .map(|(key, value)| Ok((c_string(key)?, c_string(value)?)))
            .collect::<Outcome<_>>()?;
        Ok(Self {
            keys: texts.iter().map(|(key, _)| key.as_ptr()).collect(),
            values: texts.iter().map(|(_, value)| value.as_ptr()).collect(),
            _texts: texts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_bits_are_thirty_two_bits_and_fast_is_not() {
        let tf32 = |precision| {
            let options = options(1, 8 << 30, null_mut(), precision, true);
            let value = |key: &str| options.iter().find(|(k, _)| *k == key).unwrap().1.clone();
            assert_eq!((value("device_id"), value("gpu_mem_limit")), ("1".into(), (4_u64 << 30).to_string()));
            value("use_tf32")
        };
        assert_eq!((tf32(Precision::F32), tf32(Precision::Fast)), ("0".into(), "1".into()));
    }
}
