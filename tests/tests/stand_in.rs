//! The stand-in CUDA driver itself: does it obey CUDA's interface, and does it notice misuse? Asked through the functions
//! that a program finds with dlsym, and with PTX written by hand, so that neither NVRTC nor our own wrapper is needed.

#![allow(clippy::unwrap_used, clippy::undocumented_unsafe_blocks, clippy::too_many_arguments)]

use facialads_testkit::gpu;
use libloading::os::unix::{Library, RTLD_NOW};
use std::{
    ffi::{c_char, c_void},
    ptr::{null, null_mut},
};

const PTX: &std::ffi::CStr = c"
// Written by hand.
.version 8.0
.target sm_75
.address_size 64
.visible .entry fill(
    .param .align 8 .b8 fill_param_0[24]
)
{ ret; }
.visible .entry other( .param .u64 a, .param .u32 b ) { ret; }
";

#[repr(C)]
struct Fill {
    out: u64,
    count: u64,
    value: u32,
}

type Handle = *mut c_void;

/// The driver's functions as C has them.
struct Cuda(Library);

macro_rules! functions {
    ($($name:ident = $symbol:literal ($($argument:ident: $type:ty),*);)*) => {
        impl Cuda {
            $(fn $name(&self, $($argument: $type),*) -> i32 {
                unsafe { (*self.0.get::<unsafe extern "C" fn($($type),*) -> i32>($symbol).unwrap())($($argument),*) }
            })*
        }
    };
}

functions! {
    init = b"cuInit\0" (flags: u32);
    count = b"cuDeviceGetCount\0" (count: *mut i32);
    retain = b"cuDevicePrimaryCtxRetain\0" (context: *mut Handle, device: i32);
    release = b"cuDevicePrimaryCtxRelease_v2\0" (device: i32);
    create = b"cuCtxCreate_v2\0" (context: *mut Handle, flags: u32, device: i32);
    destroy = b"cuCtxDestroy_v2\0" (context: Handle);
    push = b"cuCtxPushCurrent_v2\0" (context: Handle);
    pop = b"cuCtxPopCurrent_v2\0" (context: *mut Handle);
    allocate = b"cuMemAlloc_v2\0" (address: *mut u64, bytes: usize);
    free = b"cuMemFree_v2\0" (address: u64);
    upload = b"cuMemcpyHtoD_v2\0" (to: u64, from: *const u8, bytes: usize);
    download = b"cuMemcpyDtoH_v2\0" (to: *mut u8, from: u64, bytes: usize);
    copy = b"cuMemcpyDtoDAsync_v2\0" (to: u64, from: u64, bytes: usize, stream: Handle);
    peer = b"cuMemcpyPeerAsync\0" (to: u64, there: Handle, from: u64, here: Handle, bytes: usize, stream: Handle);
    set = b"cuMemsetD8Async\0" (to: u64, value: u8, bytes: usize, stream: Handle);
    stream = b"cuStreamCreate\0" (stream: *mut Handle, flags: u32);
    synchronize = b"cuStreamSynchronize\0" (stream: Handle);
    wait_event = b"cuStreamWaitEvent\0" (stream: Handle, event: Handle, flags: u32);
    destroy_stream = b"cuStreamDestroy_v2\0" (stream: Handle);
    event = b"cuEventCreate\0" (event: *mut Handle, flags: u32);
    record = b"cuEventRecord\0" (event: Handle, stream: Handle);
    query = b"cuEventQuery\0" (event: Handle);
    synchronize_event = b"cuEventSynchronize\0" (event: Handle);
    elapsed = b"cuEventElapsedTime\0" (milliseconds: *mut f32, from: Handle, to: Handle);
    destroy_event = b"cuEventDestroy_v2\0" (event: Handle);
    load = b"cuModuleLoadData\0" (module: *mut Handle, image: *const c_char);
    function = b"cuModuleGetFunction\0" (function: *mut Handle, module: Handle, name: *const c_char);
    launch = b"cuLaunchKernel\0" (function: Handle, gx: u32, gy: u32, gz: u32, bx: u32, by: u32, bz: u32, shared: u32,
        stream: Handle, params: *mut Handle, extra: *mut Handle);
}

impl Cuda {
    fn open() -> Self {
        let cuda = Self(unsafe { Library::open(Some("libcuda.so.1"), RTLD_NOW) }.unwrap());
        assert_eq!(cuda.init(0), 0);
        cuda
    }

    fn context(&self) -> Handle {
        let mut context = null_mut();
        assert_eq!(self.create(&mut context, 0, 0), 0);
        context
    }

    fn memory(&self, bytes: usize) -> u64 {
        let mut address = 0;
        assert_eq!(self.allocate(&mut address, bytes), 0);
        assert_eq!(address % 256, 0);
        address
    }

    fn fill(&self) -> Handle {
        let (mut module, mut function) = (null_mut(), null_mut());
        assert_eq!(self.load(&mut module, PTX.as_ptr()), 0);
        assert_eq!(self.function(&mut function, module, c"fill".as_ptr()), 0);
        function
    }

    fn launch_fill(&self, function: Handle, stream: Handle, out: u64, count: u64, value: u32) -> i32 {
        let mut params = Fill { out, count, value };
        let mut pointers = [(&raw mut params).cast::<c_void>()];
        let blocks = u32::try_from(count.div_ceil(32)).unwrap();
        self.launch(function, blocks, 1, 1, 32, 1, 1, 0, stream, pointers.as_mut_ptr(), null_mut())
    }

    fn read(&self, address: u64, bytes: usize) -> Vec<u8> {
        let mut out = vec![0; bytes];
        assert_eq!(self.download(out.as_mut_ptr(), address, bytes), 0);
        out
    }
}

#[test]
fn a_kernel_runs_with_the_parameters_that_it_was_given() {
    let Some(gpu) = gpu::driver() else { return };
    assert!(gpu.kernels().contains(&"fill".to_owned()), "{:?}", gpu.kernels());
    let cuda = Cuda::open();
    let context = cuda.context();
    let memory = cuda.memory(1000);
    assert!(cuda.read(memory, 1000).iter().all(|byte| *byte == 0xff), "fresh memory is full of 0xFF");
    assert_eq!(cuda.launch_fill(cuda.fill(), null_mut(), memory, 999, 7), 0);
    let bytes = cuda.read(memory, 1000);
    assert!(bytes[..999].iter().all(|byte| *byte == 7));
    assert_eq!(bytes[999], 0xff, "a thread beyond the count writes nothing");
    assert_eq!((gpu.launches("fill"), gpu.bytes_to_host(), gpu.bytes_to_device()), (1, 2000, 0));
    assert_eq!(cuda.free(memory), 0);
    assert_eq!(gpu.count("live allocations"), 0);
    assert_eq!(cuda.destroy(context), 0);
}

#[test]
fn parameters_of_another_size_are_refused() {
    let Some(gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let context = cuda.context();
    let function = cuda.fill();
    let mut params = Fill { out: 0, count: 0, value: 0 };
    let mut size = 20usize;
    let mut extra = [1 as Handle, (&raw mut params).cast(), 2 as Handle, (&raw mut size).cast(), null_mut()];
    let launch = |extra: &mut [Handle]| {
        cuda.launch(function, 1, 1, 1, 1, 1, 1, 0, null_mut(), null_mut(), extra.as_mut_ptr())
    };
    assert_eq!(launch(&mut extra), 1);
    assert!(gpu.problems()[0].contains("20 bytes of parameters and takes 24"));
    size = 24;
    extra[3] = (&raw mut size).cast();
    assert_eq!(launch(&mut extra), 0);
    assert_eq!(cuda.destroy(context), 0);
}

#[test]
fn only_kernels_of_the_ptx_are_found() {
    let Some(_gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let context = cuda.context();
    let (mut module, mut function) = (null_mut(), null_mut());
    assert_eq!(cuda.load(&mut module, PTX.as_ptr()), 0);
    assert_eq!(cuda.function(&mut function, module, c"fil".as_ptr()), 500);
    assert_eq!(cuda.load(&mut module, c"nothing of the kind".as_ptr()), 200);
    assert_eq!(cuda.destroy(context), 0);
}

#[test]
fn an_old_driver_takes_no_new_ptx_and_an_old_card_no_code_for_newer_ones() {
    let Some(gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let context = cuda.context();
    let mut module = null_mut();
    gpu.driver_version(11, 4);
    assert_eq!(cuda.load(&mut module, PTX.as_ptr()), 222);
    gpu.driver_version(12, 0);
    gpu.compute_capability(7, 0);
    assert_eq!(cuda.load(&mut module, PTX.as_ptr()), 209);
    assert_eq!(cuda.destroy(context), 0);
}

#[test]
fn a_kernel_that_leaves_its_memory_is_stopped_and_the_context_is_lost() {
    let Some(gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let context = cuda.context();
    let memory = cuda.memory(1000);
    assert_eq!(cuda.launch_fill(cuda.fill(), null_mut(), memory, 5000, 7), 0, "launches are asynchronous");
    assert_eq!(cuda.synchronize(null_mut()), 700);
    assert_eq!(cuda.allocate(&mut 0, 10), 700);
    let problems = gpu.problems();
    assert!(
        problems.iter().any(|text| text.contains("kernel fill touched memory that it may not")),
        "{problems:?}"
    );
    assert!(
        problems.iter().any(|text| text.contains("behind the end of an allocation of 1000 bytes")),
        "{problems:?}"
    );
    assert_eq!(cuda.destroy(context), 0);
}

#[test]
fn a_few_bytes_too_many_are_seen_in_the_guard_zone() {
    let Some(gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let context = cuda.context();
    let memory = cuda.memory(1000);
    assert_eq!(cuda.launch_fill(cuda.fill(), null_mut(), memory, 1001, 7), 0);
    assert_eq!(cuda.synchronize(null_mut()), 0);
    assert!(
        gpu.problems()[0]
            .contains("behind the end of an allocation of 1000 bytes; seen when kernel fill had run")
    );
    assert_eq!(cuda.destroy(context), 0);
}

#[test]
fn freed_memory_and_memory_of_another_context_are_refused() {
    let Some(gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let one = cuda.context();
    let in_one = cuda.memory(64);
    let two = cuda.context();
    let in_two = cuda.memory(64);
    // By a peer copy the two may be joined …
    assert_eq!(cuda.set(in_two, 9, 64, null_mut()), 0);
    assert_eq!(cuda.peer(in_one, one, in_two, two, 64, null_mut()), 0);
    assert_eq!(cuda.pop(null_mut()), 0);
    assert_eq!(cuda.push(one), 0);
    assert_eq!(cuda.read(in_one, 64), [9; 64]);
    assert!(gpu.problems().is_empty());
    assert_eq!(gpu.count("bytes peer"), 64);
    // … otherwise not.
    assert_eq!(cuda.copy(in_one, in_two, 64, null_mut()), 700);
    assert!(gpu.problems()[0].contains("belongs to another context"));
    gpu.reset();
    assert_eq!(cuda.launch_fill(cuda.fill(), null_mut(), in_two, 64, 1), 0);
    assert_eq!(cuda.synchronize(null_mut()), 700);
    assert!(gpu.problems()[0].contains("memory of another context"));
    gpu.reset();
    assert_eq!(cuda.free(in_one), 0);
    assert_eq!(cuda.launch_fill(cuda.fill(), null_mut(), in_one, 64, 1), 0);
    assert_eq!(cuda.synchronize(null_mut()), 700);
    assert!(gpu.problems()[0].contains("not allocated (any more)"));
    gpu.reset();
    assert_eq!(cuda.upload(in_one, [0; 4].as_ptr(), 4), 700);
    assert!(!gpu.problems().is_empty());
    gpu.reset();
    assert_eq!(cuda.destroy(one), 0);
    assert_eq!(cuda.destroy(two), 0);
}

#[test]
fn late_work_runs_when_it_is_waited_for_and_in_the_order_of_events() {
    let Some(gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let context = cuda.context();
    let memory = cuda.memory(256);
    let function = cuda.fill();
    let (mut first, mut second, mut done, mut later) = (null_mut(), null_mut(), null_mut(), null_mut());
    assert_eq!(cuda.stream(&mut first, 1), 0);
    assert_eq!(cuda.stream(&mut second, 1), 0);
    assert_eq!(cuda.event(&mut done, 0), 0);
    assert_eq!(cuda.event(&mut later, 0), 0);
    gpu.run_late(true);
    assert_eq!(cuda.launch_fill(function, first, memory, 256, 1), 0);
    assert_eq!(cuda.record(done, first), 0);
    assert_eq!(cuda.query(done), 600);
    gpu.reset();
    gpu.run_late(true);
    assert_eq!(cuda.launch_fill(function, first, memory, 256, 2), 0);
    // A copy that waits for nothing sees the old content …
    assert_eq!(cuda.read(memory, 1), [1]);
    assert_eq!(cuda.record(done, first), 0);
    // … work behind the event the new one, whichever stream is run first.
    assert_eq!(cuda.wait_event(second, done, 0), 0);
    assert_eq!(cuda.launch_fill(function, second, memory, 128, 3), 0);
    assert_eq!(cuda.record(later, second), 0);
    assert_eq!(cuda.elapsed(&mut 0., done, later), 600);
    assert_eq!(cuda.synchronize_event(later), 0);
    assert_eq!(cuda.query(done), 0);
    let bytes = cuda.read(memory, 256);
    assert!(bytes[..128].iter().all(|byte| *byte == 3) && bytes[128..].iter().all(|byte| *byte == 2));
    let mut milliseconds = -1.;
    assert_eq!(cuda.elapsed(&mut milliseconds, done, later), 0);
    assert!((0. ..1000.).contains(&milliseconds));
    for event in [done, later] {
        assert_eq!(cuda.destroy_event(event), 0);
    }
    for stream in [first, second] {
        assert_eq!(cuda.destroy_stream(stream), 0);
    }
    assert_eq!(cuda.free(memory), 0);
    assert_eq!((gpu.count("live streams"), gpu.count("live events")), (0, 0));
    assert_eq!(cuda.destroy(context), 0);
}

#[test]
fn failures_come_when_they_are_due() {
    let Some(gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let context = cuda.context();
    gpu.fail("cuMemAlloc", gpu::OUT_OF_MEMORY, 1, Some(1));
    let memory = cuda.memory(16);
    assert_eq!(cuda.allocate(&mut 0, 16), 2);
    let more = cuda.memory(16);
    for address in [memory, more] {
        assert_eq!(cuda.free(address), 0);
    }
    gpu.memory(1000);
    assert_eq!(cuda.allocate(&mut 0, 1001), 2);
    gpu.lose_device(1);
    let function = cuda.fill();
    let memory = cuda.memory(16);
    assert_eq!(cuda.launch_fill(function, null_mut(), memory, 16, 1), 0);
    assert_eq!(cuda.launch_fill(function, null_mut(), memory, 16, 1), 999);
    assert_eq!(cuda.free(memory), 999);
    gpu.reset();
    assert_eq!(cuda.free(memory), 0);
    gpu.devices(0);
    assert_eq!(cuda.init(0), 100);
    assert_eq!(cuda.destroy(context), 0);
}

#[test]
fn a_primary_context_is_one_and_goes_with_its_last_holder() {
    let Some(gpu) = gpu::driver() else { return };
    let cuda = Cuda::open();
    let before = gpu.count("live contexts");
    gpu.devices(2);
    let (mut one, mut two, mut other) = (null_mut(), null_mut(), null_mut());
    assert_eq!(cuda.retain(&mut one, 0), 0);
    assert_eq!(cuda.retain(&mut two, 0), 0);
    assert_eq!(cuda.retain(&mut other, 1), 0);
    assert!(one == two && one != other);
    assert_eq!(cuda.push(one), 0);
    cuda.memory(10);
    assert_eq!(cuda.pop(null_mut()), 0);
    assert_eq!(cuda.release(0), 0);
    assert_eq!(gpu.count("live allocations"), 1);
    assert_eq!(cuda.release(0), 0);
    assert_eq!((gpu.count("live allocations"), gpu.count("leaked allocations")), (0, 1));
    assert_eq!(cuda.release(1), 0);
    assert_eq!(cuda.release(1), 201);
    assert_eq!(gpu.count("live contexts"), before);
    assert_eq!(cuda.push(one), 201, "a context that is gone");
    assert_eq!(cuda.allocate(null::<u64>().cast_mut(), 1), 201, "nothing is current");
    let mut number = 0;
    assert_eq!((cuda.count(&mut number), number), (0, 2));
}
