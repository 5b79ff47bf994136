//! GPUs, memory, streams, events and kernels, through the stand-in driver: everything except the GPU itself is the real thing.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_testkit::gpu::{self, StandIn, stand_in};
use facialads_vision::{
    Error,
    cuda::{
        DeviceBuffer, Gpu, GpuFailure, Kernel, Params, Payload, Stream, devices, nvrtc_info, ordinal_of,
        self_test, sources::FILL, stage_times, time_stages, traffic,
    },
};
use std::{fs, path::PathBuf, sync::OnceLock};

const FILL_KERNEL: Kernel = Kernel::new(&FILL, "fill");

#[derive(Clone, Copy)]
#[repr(C)]
struct Fill {
    out: u64,
    count: u64,
    value: u32,
}

// SAFETY: the struct of kernels/fill.cu; tests give it buffers of their own.
unsafe impl Params for Fill {}

#[derive(Clone, Copy)]
#[repr(C)]
struct Wrong(u64);

// SAFETY: refused before a kernel sees it.
unsafe impl Params for Wrong {}

/// The stand-in, NVRTC and a kernel cache of this process's own.
fn gpu() -> Option<StandIn> {
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let gpu = stand_in()?;
    // SAFETY: under the stand-in's lock, before the first thread of this test.
    CACHE.get_or_init(|| unsafe {
        let folder = tempfile::tempdir().unwrap();
        std::env::set_var("XDG_CACHE_HOME", folder.path());
        folder
    });
    // As new as any NVRTC.
    gpu.driver_version(13, 9);
    if let Err(e) = nvrtc_info() {
        facialads_testkit::skip(&format!("no NVRTC (run `make setup`): {e}"));
        return None;
    }
    Some(gpu)
}

fn cached() -> Vec<PathBuf> {
    let folder = facialads_vision::cuda::kernel_cache().unwrap();
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn fill(gpu: &Gpu, stream: &Stream, buffer: &DeviceBuffer, value: u32) -> Result<(), Error> {
    let count = u64::try_from(buffer.len()).unwrap();
    let params = Fill { out: buffer.address(), count, value };
    let blocks = u32::try_from(buffer.len().div_ceil(256)).unwrap();
    gpu.launch(stream, FILL_KERNEL, [blocks, 1, 1], [256, 1, 1], &params)
}

fn bytes(stream: &Stream, buffer: &DeviceBuffer) -> Vec<u8> {
    let mut bytes = vec![0; buffer.len()];
    buffer.download(stream, 0, &mut bytes, Payload::Results).unwrap();
    bytes
}

/// What is allocated. Other tests leave behind what was in a context that died.
fn live(card: &StandIn) -> u64 {
    ["allocations", "streams", "events", "pinned"]
        .map(|what| card.count(&format!("live {what}")))
        .iter()
        .sum()
}

fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> (GpuFailure, String) {
    let error = result.unwrap_err();
    (error.gpu_failure().unwrap(), error.to_string())
}

#[test]
fn gpus_are_listed_with_their_numbers_and_uuids() {
    let Some(card) = gpu() else { return };
    card.devices(2);
    card.compute_capability(8, 9);
    let all = devices().unwrap();
    assert_eq!(all.len(), 2);
    for (number, gpu) in (0..).zip(&all) {
        assert_eq!((gpu.ordinal, gpu.compute), (number, (8, 9)));
        assert!(gpu.uuid.starts_with("GPU-") && gpu.uuid.len() == 40, "{}", gpu.uuid);
        assert!(!gpu.name.is_empty() && gpu.memory > 0);
        assert_eq!(ordinal_of(&gpu.uuid.to_uppercase()).unwrap(), number);
    }
    let (kind, text) = failure(ordinal_of("GPU-"));
    assert!(kind == GpuFailure::NoDevice && text.contains("more than one"), "{text}");
    let (kind, text) = failure(ordinal_of("GPU-zz"));
    assert!(kind == GpuFailure::NoDevice && text.contains(&all[1].uuid), "{text}");
    let (kind, text) = failure(Gpu::primary(2));
    assert!(kind == GpuFailure::NoDevice && text.contains("0 to 1"), "{text}");
    assert_eq!(Gpu::primary(1).unwrap().info().ordinal, 1);
}

#[test]
fn a_part_of_a_card_is_named_as_one() {
    let Some(card) = gpu() else { return };
    card.mig(true);
    let all = devices().unwrap();
    assert!(all[0].uuid.starts_with("MIG-"), "{}", all[0].uuid);
    assert_eq!(ordinal_of(&all[0].uuid[..12]).unwrap(), 0);
}

#[test]
fn without_a_card_the_error_says_where_to_look() {
    let Some(card) = gpu() else { return };
    card.devices(0);
    let (kind, text) = failure(devices());
    assert_eq!(kind, GpuFailure::NoDevice);
    assert!(text.contains("CUDA_VISIBLE_DEVICES") && text.contains("--gpus"), "{text}");
    assert_eq!(failure(Gpu::primary(0)).0, GpuFailure::NoDevice);
}

#[test]
fn a_kernel_runs_and_its_bytes_come_back() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    self_test(&gpu).unwrap();
    assert_eq!(card.launches("fill"), 1);
    let stream = gpu.new_stream(true).unwrap();
    // Every size around the allocation's alignment: a write beyond the end would be noticed.
    for size in [1, 255, 256, 257, 1000, 65_537] {
        let buffer = gpu.allocate(size).unwrap();
        assert_eq!(buffer.address() % 256, 0);
        fill(&gpu, &stream, &buffer, 7).unwrap();
        assert!(bytes(&stream, &buffer).iter().all(|byte| *byte == 7));
    }
    let none = gpu.allocate(0).unwrap();
    assert!(none.is_empty());
    assert_eq!(bytes(&stream, &none), []);
}

#[test]
fn kernels_are_loaded_once_in_a_context() {
    let Some(card) = gpu() else { return };
    let before = live(&card);
    let (one, two) = (Gpu::primary(0).unwrap(), Gpu::primary(0).unwrap());
    assert_eq!(one, two);
    one.prepare_all().unwrap();
    let loaded = card.count("call cuModuleLoadDataEx");
    self_test(&one).unwrap();
    self_test(&two).unwrap();
    two.prepare_all().unwrap();
    assert_eq!(card.count("call cuModuleLoadDataEx"), loaded);
    // SAFETY: the context of a `Gpu` that lives on.
    let third = unsafe { Gpu::of_context(one.context()) }.unwrap();
    self_test(&third).unwrap();
    assert_eq!(card.count("call cuModuleLoadDataEx"), loaded);
    drop((one, two, third));
    assert_eq!(live(&card), before);
}

#[test]
fn copies_stay_within_their_buffer() {
    let Some(_card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    let stream = gpu.new_stream(false).unwrap();
    let buffer = gpu.allocate(64).unwrap();
    buffer.upload(&stream, 0, &[1_u32; 16], Payload::Results).unwrap();
    buffer.upload(&stream, 8, &[[2_u16, 3]], Payload::Results).unwrap();
    let mut values = [0_u32; 3];
    buffer.download(&stream, 4, &mut values, Payload::Results).unwrap();
    assert_eq!(values, [1, 3 << 16 | 2, 1]);
    assert!(buffer.upload(&stream, 61, &[0_u32], Payload::Results).is_err());
    assert!(buffer.upload(&stream, usize::MAX, &[0_u32], Payload::Results).is_err());
    assert!(buffer.download(&stream, 0, &mut [0_u8; 65], Payload::Results).is_err());
}

#[test]
fn what_crosses_is_counted_by_kind() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    let stream = gpu.new_stream(false).unwrap();
    let buffer = gpu.allocate(1000).unwrap();
    let before = traffic();
    buffer.upload(&stream, 0, &[0_u8; 100], Payload::Pixels).unwrap();
    buffer.upload(&stream, 0, &[0_u32; 10], Payload::Results).unwrap();
    buffer.download(&stream, 0, &mut [0_u8; 30], Payload::Pixels).unwrap();
    let mut pinned = gpu.pinned(100).unwrap();
    pinned.read(&stream, &buffer, 8, Payload::Results).unwrap();
    pinned.values::<u8>().unwrap();
    let now = traffic().since(&before);
    assert_eq!((now.pixels_to_device, now.other_to_device), (100, 40));
    assert_eq!((now.pixels_to_host, now.other_to_host), (30, 8));
    assert_eq!((card.bytes_to_device(), card.bytes_to_host()), (140, 38));
}

#[test]
fn streams_run_late_and_events_order_them() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    gpu.prepare_all().unwrap();
    card.run_late(true);
    let (first, second) = (gpu.new_stream(false).unwrap(), gpu.new_stream(true).unwrap());
    let (from, to) = (gpu.allocate(500).unwrap(), gpu.allocate(500).unwrap());
    fill(&gpu, &first, &from, 9).unwrap();
    let filled = first.record().unwrap();
    assert!(!filled.is_done().unwrap());
    second.wait(&filled).unwrap();
    second.copy(&to, &from, 500).unwrap();
    assert_eq!(bytes(&second, &to), [9; 500]);
    assert!(filled.is_done().unwrap());

    let before = card.count("live pinned");
    let mut pinned = gpu.pinned(500).unwrap();
    fill(&gpu, &second, &to, 11).unwrap();
    pinned.read(&second, &to, 500, Payload::Results).unwrap();
    assert!(!pinned.is_done().unwrap());
    assert_eq!(pinned.values::<u8>().unwrap(), [11; 500]);
    assert_eq!(pinned.values::<u16>().unwrap().len(), 250);
    assert!(pinned.read(&second, &to, 501, Payload::Results).is_err());
    // A reader that goes away in the middle waits for the copy, which would otherwise write into freed memory.
    pinned.read(&second, &to, 500, Payload::Results).unwrap();
    drop(pinned);
    assert_eq!(card.count("live pinned"), before);
}

#[test]
fn page_locked_values_may_change_after_an_upload() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    card.run_late(true);
    let stream = gpu.new_stream(false).unwrap();
    let (from, to) = (gpu.allocate(64).unwrap(), gpu.allocate(64).unwrap());
    from.upload(&stream, 0, &[5_u8; 64], Payload::Results).unwrap();
    let mut pinned = gpu.pinned(64).unwrap();
    pinned.read(&stream, &from, 64, Payload::Results).unwrap();
    to.upload(&stream, 0, pinned.values::<u8>().unwrap(), Payload::Results).unwrap();
    // Wiped when it is dropped.
    drop(pinned);
    assert_eq!(bytes(&stream, &to), [5; 64]);
}

#[test]
fn threads_sleep_while_they_wait_in_a_primary_context_that_we_open() {
    let Some(card) = gpu() else { return };
    // One that no other test opens.
    card.devices(3);
    let gpu = Gpu::primary(2).unwrap();
    // CU_CTX_SCHED_BLOCKING_SYNC
    assert_eq!(card.count("primary context flags"), 4);
    assert_eq!(Gpu::primary(2).unwrap(), gpu);
    drop(gpu);
    // Chosen already.
    drop(Gpu::primary(2).unwrap());
    assert_eq!(card.count("call cuDevicePrimaryCtxSetFlags_v2"), 1);
}

#[test]
fn memory_goes_between_gpus() {
    let Some(card) = gpu() else { return };
    card.devices(2);
    let (one, two) = (Gpu::primary(0).unwrap(), Gpu::primary(1).unwrap());
    assert_ne!(one, two);
    let (here, there) = (one.new_stream(false).unwrap(), two.new_stream(false).unwrap());
    let (from, to) = (one.allocate(300).unwrap(), two.allocate(300).unwrap());
    fill(&one, &here, &from, 3).unwrap();
    there.wait(&here.record().unwrap()).unwrap();
    there.copy(&to, &from, 300).unwrap();
    assert_eq!(bytes(&there, &to), [3; 300]);
    // What would touch the wrong context is refused before the driver sees it.
    assert!(from.upload(&there, 0, &[0_u8], Payload::Results).is_err());
    let (_, text) = failure(fill(&one, &there, &from, 1));
    assert!(text.contains("different CUDA contexts"), "{text}");
}

#[test]
fn memory_is_wiped_after_its_last_use_and_used_again() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    gpu.prepare_all().unwrap();
    let before = card.count("live bytes");
    for late in [false, true] {
        card.run_late(late);
        let (stream, other) = (gpu.new_stream(false).unwrap(), gpu.new_stream(false).unwrap());
        let buffer = gpu.allocate(4096).unwrap();
        let address = buffer.address();
        fill(&gpu, &stream, &buffer, 0xAB).unwrap();
        drop(buffer);
        // Not handed out while the kernel may still write.
        let meanwhile = gpu.allocate(4096).unwrap();
        assert_eq!(meanwhile.address() == address, !late);
        stream.synchronize().unwrap();
        gpu.synchronize().unwrap();
        drop(meanwhile);
        gpu.synchronize().unwrap();
        let (again, more) = (gpu.allocate(4096).unwrap(), gpu.allocate(4000).unwrap());
        assert_eq!(bytes(&other, &again), [0; 4096]);
        if late {
            assert_eq!(bytes(&other, &more), [0; 4000]);
        }
        drop((again, more));
        gpu.synchronize().unwrap();
    }
    assert!(gpu.idle_memory() > 0);
    gpu.trim();
    assert_eq!((gpu.idle_memory(), card.count("live bytes")), (0, before));
}

#[test]
fn giving_memory_back_waits_for_new_work_alone_however_many_streams_there_are() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    gpu.prepare_all().unwrap();
    card.run_late(true);
    let streams: Vec<Stream> = (0..64).map(|_| gpu.new_stream(false).unwrap()).collect();
    let mut buffers: Vec<DeviceBuffer> = (0..4).map(|_| gpu.allocate(1000).unwrap()).collect();
    let addresses: Vec<u64> = buffers.iter().map(DeviceBuffer::address).collect();
    for (stream, buffer) in streams.iter().zip(buffers.iter().cycle()) {
        fill(&gpu, stream, buffer, 1).unwrap();
    }
    let mut waits = |work: &dyn Fn(&DeviceBuffer)| {
        let (buffer, before) = (buffers.pop().unwrap(), card.count("call cuStreamWaitEvent"));
        work(&buffer);
        drop(buffer);
        card.count("call cuStreamWaitEvent") - before
    };
    assert_eq!(waits(&|_| ()), 64);
    assert_eq!(waits(&|_| ()), 0, "it has waited");
    assert_eq!(waits(&|buffer| fill(&gpu, &streams[7], buffer, 2).unwrap()), 1);
    // Somebody else may do anything in it.
    assert!(!streams[9].handle().is_null());
    assert_eq!((waits(&|_| ()), buffers.len()), (1, 0));
    let early = gpu.allocate(1000).unwrap();
    assert!(!addresses.contains(&early.address()), "the kernels have not run yet");
    gpu.synchronize().unwrap();
    let later: Vec<DeviceBuffer> = (0..4).map(|_| gpu.allocate(1000).unwrap()).collect();
    for buffer in &later {
        assert!(addresses.contains(&buffer.address()));
        assert_eq!(bytes(&streams[0], buffer), [0; 1000]);
    }
}

#[test]
fn memory_that_a_borrowed_streams_kernel_uses_is_left_alone_until_it_is_done() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    gpu.prepare_all().unwrap();
    card.run_late(true);
    let buffer = gpu.allocate(1000).unwrap();
    let address = buffer.address();
    {
        // SAFETY: the default stream is always there. Nothing but this value knows it.
        let borrowed = unsafe { Stream::borrowed(&gpu, std::ptr::null_mut()) }.unwrap();
        fill(&gpu, &borrowed, &buffer, 1).unwrap();
    }
    drop(buffer);
    assert_ne!(gpu.allocate(1000).unwrap().address(), address);
    gpu.synchronize().unwrap();
    let (free, more) = (gpu.allocate(1000).unwrap(), gpu.allocate(1000).unwrap());
    assert!([free.address(), more.address()].contains(&address), "it is used again");
    let stream = gpu.new_stream(false).unwrap();
    for buffer in [&free, &more] {
        assert!(bytes(&stream, buffer).iter().all(|byte| *byte == 0), "wiped after the kernel, not before");
    }
    // SAFETY: the default stream is always there.
    let default = unsafe { Stream::borrowed(&gpu, std::ptr::null_mut()) }.unwrap();
    fill(&gpu, &default, &free, 2).unwrap();
    assert_eq!(bytes(&default, &free), [2; 1000]);
}

#[test]
fn a_borrowed_stream_of_another_context_is_refused() {
    let Some(card) = gpu() else { return };
    card.devices(2);
    let (one, two) = (Gpu::primary(0).unwrap(), Gpu::primary(1).unwrap());
    let stream = one.new_stream(false).unwrap();
    // SAFETY: a live stream.
    let (_, text) = failure(unsafe { Stream::borrowed(&two, stream.handle()) });
    assert!(text.contains("another context") && text.contains("cuda-device-id"), "{text}");
}

#[test]
fn a_steady_state_asks_the_driver_for_nothing_new() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    let stream = gpu.new_stream(false).unwrap();
    let mut pinned = gpu.pinned(64).unwrap();
    let mut frame = |size: usize| {
        let buffer = gpu.allocate(size).unwrap();
        fill(&gpu, &stream, &buffer, 1).unwrap();
        pinned.read(&stream, &buffer, 64, Payload::Results).unwrap();
        pinned.values::<u8>().unwrap();
        stream.record().unwrap().wait().unwrap();
    };
    (0..3).for_each(|_| frame(100_000));
    let made = |card: &StandIn| {
        ["cuMemAlloc", "cuEventCreate", "cuStreamCreate", "cuMemHostAlloc", "cuMemFree"].map(|call| {
            card.counters().lines().filter(|line| line.contains(call)).map(str::to_owned).collect::<Vec<_>>()
        })
    };
    let before = made(&card);
    // Sizes that are nearly equal share memory.
    (0..50).for_each(|number| frame(100_000 - number));
    assert_eq!(made(&card), before);
}

#[test]
fn stages_are_timed_only_when_asked() {
    let Some(_card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    let stream = gpu.new_stream(false).unwrap();
    let buffer = gpu.allocate(100).unwrap();
    let run = |stage| {
        let _stage = stream.stage(stage);
        fill(&gpu, &stream, &buffer, 1).unwrap();
    };
    run("silent");
    time_stages(true);
    (0..3).for_each(|_| run("b"));
    run("a");
    time_stages(false);
    let times = stage_times().unwrap();
    assert_eq!(times.iter().map(|time| (time.stage, time.count)).collect::<Vec<_>>(), [("a", 1), ("b", 3)]);
    assert!(times.iter().all(|time| time.total >= time.worst && time.worst >= 0.0));
    assert_eq!(stage_times().unwrap(), []);

    let (begin, end) = (stream.record().unwrap(), stream.record().unwrap());
    end.wait().unwrap();
    assert!(end.milliseconds_since(&begin).unwrap() >= 0.0);
}

#[test]
fn a_launch_that_cannot_be_is_refused_with_its_reason() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    let stream = gpu.new_stream(false).unwrap();
    let buffer = gpu.allocate(100).unwrap();
    let params = Fill { out: buffer.address(), count: 0, value: 0 };
    for (grid, block) in [
        ([1, 1, 1], [1025, 1, 1]),
        ([1, 1, 1], [32, 33, 1]),
        ([1, 1, 1], [1, 1, 65]),
        ([1, 1, 1], [0, 1, 1]),
        ([1, 65_536, 1], [1, 1, 1]),
        ([u32::MAX, 1, 1], [1, 1, 1]),
        ([1, 1, 1], [u32::MAX, u32::MAX, 1]),
    ] {
        let (_, text) = failure(gpu.launch(&stream, FILL_KERNEL, grid, block, &params));
        assert!(text.contains("fill") && text.contains("the GPU takes"), "{text}");
    }
    let (kind, text) = failure(gpu.launch(&stream, FILL_KERNEL, [1, 1, 1], [1, 1, 1], &Wrong(0)));
    assert!(kind == GpuFailure::Compile && text.contains("24") && text.contains("not 8"), "{text}");
    let (kind, text) =
        failure(gpu.launch(&stream, Kernel::new(&FILL, "flil"), [1, 1, 1], [1, 1, 1], &params));
    assert!(kind == GpuFailure::Compile && text.contains("flil"), "{text}");
    gpu.launch(&stream, FILL_KERNEL, [0, 1, 1], [1, 1, 1], &params).unwrap();
    assert_eq!(card.launches("fill"), 0);
}

#[test]
fn full_memory_frees_what_is_idle_before_it_is_an_error() {
    let Some(card) = gpu() else { return };
    let gpu = Gpu::primary(0).unwrap();
    let (_, all) = gpu.free_memory().unwrap();
    drop(gpu.allocate(1 << 20).unwrap());
    assert!(gpu.idle_memory() > 0);
    card.fail("cuMemAlloc", gpu::OUT_OF_MEMORY, 0, Some(1));
    let buffer = gpu.allocate(3 << 20).unwrap();
    assert_eq!(gpu.idle_memory(), 0);
    card.fail("cuMemAlloc", gpu::OUT_OF_MEMORY, 0, None);
    let (kind, text) = failure(gpu.allocate(5 << 20));
    assert_eq!(kind, GpuFailure::OutOfMemory);
    assert!(text.contains("allocating 5 MB") && text.contains("batch-size"), "{text}");
    assert!(!gpu.is_lost());
    card.reset();
    drop(buffer);
    assert_eq!(failure(gpu.allocate(usize::MAX)).0, GpuFailure::OutOfMemory);
    assert_eq!(failure(gpu.allocate(usize::try_from(all).unwrap() * 2)).0, GpuFailure::OutOfMemory);
    gpu.allocate(100).unwrap();
}

#[test]
fn a_lost_card_is_told_apart_and_nothing_panics() {
    let Some(card) = gpu() else { return };
    for code in [gpu::ILLEGAL_ADDRESS, gpu::LAUNCH_FAILED, 214, 702, 715] {
        let gpu = Gpu::primary(0).unwrap();
        gpu.prepare_all().unwrap();
        let stream = gpu.new_stream(false).unwrap();
        let buffer = gpu.allocate(100).unwrap();
        let mut pinned = gpu.pinned(100).unwrap();
        let event = stream.record().unwrap();
        card.fail("cu", code, 0, None);
        let (kind, text) = failure(fill(&gpu, &stream, &buffer, 1));
        assert_eq!(kind, GpuFailure::DeviceLost, "{text}");
        assert!(text.contains("dmesg") && text.contains("GPU 0"), "{text}");
        assert!(gpu.is_lost());
        assert_eq!(failure(event.is_done()).0, GpuFailure::DeviceLost);
        assert!(gpu.allocate(10).is_err() && stream.record().is_err() && stream.synchronize().is_err());
        assert!(pinned.read(&stream, &buffer, 10, Payload::Results).is_err());
        drop((event, pinned, buffer, stream, gpu));
        card.reset();
        let _ = card.problems();
    }
    card.fail("cuLaunchKernel", gpu::LAUNCH_FAILED, 1, Some(1));
    let gpu = Gpu::primary(0).unwrap();
    self_test(&gpu).unwrap();
    assert_eq!(failure(self_test(&gpu)).0, GpuFailure::DeviceLost);
}

#[test]
fn a_driver_that_does_not_match_says_so() {
    let Some(card) = gpu() else { return };
    for (code, kind, words) in [
        (gpu::DRIVER_MISMATCH, GpuFailure::Driver, "reboot"),
        (802, GpuFailure::Driver, "fabricmanager"),
        (46, GpuFailure::DeviceLost, "exclusively"),
        (gpu::UNKNOWN, GpuFailure::Driver, "nvidia-uvm"),
        (gpu::OUT_OF_MEMORY, GpuFailure::OutOfMemory, "close other programs"),
        (12_345, GpuFailure::Other, "facialads doctor"),
    ] {
        card.fail("cuDevicePrimaryCtxRetain", code, 0, Some(1));
        let (found, text) = failure(Gpu::primary(0));
        assert_eq!(found, kind, "{text}");
        assert!(text.contains(words), "{text}");
    }
    Gpu::primary(0).unwrap();
}

#[test]
fn compiled_kernels_are_kept_on_disk_and_damage_is_mended() {
    let Some(card) = gpu() else { return };
    card.compute_capability(8, 0);
    let use_it = || self_test(&Gpu::primary(0).unwrap()).unwrap();
    let of = |compute: &str| {
        let named = format!("fill-{compute}-");
        let all = cached().into_iter();
        all.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with(&named)).collect::<Vec<_>>()
    };
    assert_eq!(of("80"), [] as [PathBuf; 0]);
    use_it();
    let files = of("80");
    assert_eq!(files.len(), 1);
    let whole = fs::read(&files[0]).unwrap();
    let written = |file: &PathBuf| fs::metadata(file).unwrap().modified().unwrap();
    let before = written(&files[0]);
    use_it();
    assert_eq!(written(&files[0]), before, "read, not compiled again");
    for damage in [&whole[..whole.len() / 2], b"", b"something else"] {
        fs::write(&files[0], damage).unwrap();
        use_it();
        assert_eq!(fs::read(&files[0]).unwrap(), whole);
    }
    let mut turned = whole.clone();
    let last = turned.len() - 10;
    turned[last] ^= 0x20;
    fs::write(&files[0], &turned).unwrap();
    use_it();
    assert_eq!(fs::read(&files[0]).unwrap(), whole);
    // Another GPU, another program.
    card.compute_capability(9, 0);
    use_it();
    assert_eq!((of("80").len(), of("90").len()), (1, 1));
}

#[test]
fn ptx_that_the_driver_refuses_is_an_error_that_names_the_remedy() {
    let Some(card) = gpu() else { return };
    card.driver_version(11, 4);
    let (major, minor) = nvrtc_info().unwrap().version;
    let gpu = Gpu::primary(0).unwrap();
    card.fail("cuModuleLoad", 222, 0, None);
    let (kind, text) = failure(self_test(&gpu));
    assert_eq!(kind, GpuFailure::Driver, "{major}.{minor}: {text}");
    assert!(text.contains("update the driver") && text.contains("NVRTC"), "{text}");
    // Remembered: a pipeline asks for every frame.
    let asked = card.count("call cuModuleLoadDataEx");
    assert_eq!(failure(self_test(&gpu)).1, text);
    assert_eq!(card.count("call cuModuleLoadDataEx"), asked);
    assert!(!gpu.is_lost());
}

#[test]
fn the_threads_context_is_as_it_was() {
    let Some(card) = gpu() else { return };
    card.devices(2);
    let (one, two) = (Gpu::primary(0).unwrap(), Gpu::primary(1).unwrap());
    let outer = one.current().unwrap();
    {
        let _inner = two.current().unwrap();
        self_test(&one).unwrap();
        self_test(&two).unwrap();
    }
    // Fails where the current context is not the first GPU's.
    let buffer = one.allocate(10).unwrap();
    drop(buffer);
    drop(outer);
    self_test(&two).unwrap();
}

#[test]
fn many_threads_share_a_gpu() {
    let Some(_card) = gpu() else { return };
    std::thread::scope(|scope| {
        for value in 1..5_u8 {
            scope.spawn(move || {
                let gpu = Gpu::primary(0).unwrap();
                let stream = gpu.new_stream(false).unwrap();
                for round in 0..20 {
                    let buffer = gpu.allocate(1000 + round * 100).unwrap();
                    fill(&gpu, &stream, &buffer, value.into()).unwrap();
                    assert!(bytes(&stream, &buffer).iter().all(|byte| *byte == value));
                }
            });
        }
    });
}
