//! Once warm, memory, copies, launches, events and waiting take nothing from the heap. Alone in its process, because allocations
//! are counted. The stand-in driver's own allocations are C++'s and do not count.
#![allow(clippy::unwrap_used, clippy::panic)]

mod counting;

use facialads_vision::cuda::{Gpu, Kernel, Params, Payload, Stream, nvrtc_info, sources::FILL};

#[derive(Clone, Copy)]
#[repr(C)]
struct Fill {
    out: u64,
    count: u64,
    value: u32,
}

// SAFETY: the struct of kernels/fill.cu, given a buffer of that many bytes.
unsafe impl Params for Fill {}

#[test]
fn a_warm_launch_allocates_nothing() {
    let Some(card) = facialads_testkit::gpu::stand_in() else { return };
    card.driver_version(13, 9);
    if let Err(e) = nvrtc_info() {
        facialads_testkit::skip(&format!("no NVRTC (run `make setup`): {e}"));
        return;
    }
    let gpu = Gpu::primary(0).unwrap();
    let (own, mut pinned) = (gpu.new_stream(true).unwrap(), gpu.pinned(100).unwrap());
    let mut frame = || {
        // SAFETY: a stream that outlives it, as a frame's is borrowed for each frame.
        let stream = unsafe { Stream::borrowed(&gpu, own.handle()) }.unwrap();
        let buffer = gpu.allocate(100).unwrap();
        let _stage = stream.stage("fill");
        buffer.upload(&stream, 0, &[1_u32; 25], Payload::Results).unwrap();
        let params = Fill { out: buffer.address(), count: 100, value: 1 };
        gpu.launch(&stream, Kernel::new(&FILL, "fill"), [1, 1, 1], [128, 1, 1], &params).unwrap();
        own.wait(&stream.record().unwrap()).unwrap();
        pinned.read(&own, &buffer, 100, Payload::Results).unwrap();
        pinned.values::<u8>().unwrap().len()
    };
    assert_eq!(frame() + frame() + frame(), 300);
    let before = counting::allocations();
    let bytes: usize = (0..20).map(|_| frame()).sum();
    let allocated = counting::allocations() - before;
    assert_eq!((bytes, allocated), (2000, 0));
}
