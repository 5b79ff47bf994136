//! The whole of it on GStreamer's own libgstcuda, over a stand-in for NVIDIA's driver.

#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_gstcuda::{
    Context, DeviceFrame, ElementContext, Error, FORMATS, GstCuda, Stream, download, is_cuda_buffer, pool,
    upload,
};
use facialads_testkit::gpu::{self, StandIn};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo, prelude::*};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

fn start() -> Option<StandIn> {
    let stand_in = gpu::stand_in()?;
    gst::init().unwrap();
    Some(stand_in)
}

fn cuda_caps(info: &VideoInfo) -> gst::Caps {
    let mut caps = info.to_caps().unwrap();
    caps.make_mut().set_features(0, Some(gst::CapsFeatures::new(["memory:CUDAMemory"])));
    caps
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    VideoInfo::builder(format, width, height).fps(gst::Fraction::new(25, 1)).build().unwrap()
}

/// A frame in system memory in which no two neighbouring bytes are equal.
fn pattern(info: &VideoInfo) -> gst::Buffer {
    let bytes: Vec<u8> = (0..info.size()).map(|i| (i * 7 + i / 251) as u8).collect();
    let mut buffer = gst::Buffer::from_slice(bytes);
    buffer.make_mut().set_pts(gst::ClockTime::from_mseconds(40));
    buffer
}

/// The pixels of each plane without padding.
fn rows(buffer: &gst::BufferRef, info: &VideoInfo) -> Vec<Vec<u8>> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).unwrap();
    let format = info.format_info();
    (0..info.n_planes())
        .flat_map(|plane| {
            let component =
                (0..format.n_components() as usize).find(|c| format.plane()[*c] == plane).unwrap();
            // RGB and the like have more than one component in a plane, each with the plane's pixel stride.
            let shared = (0..format.n_components() as usize).filter(|c| format.plane()[*c] == plane).count();
            let bytes = (format.depth()[component] as usize).div_ceil(8);
            let pixel = (format.pixel_stride()[component] as usize).max(shared.min(2) * bytes);
            let width = frame.comp_width(component as u32) as usize * pixel;
            let height = frame.comp_height(component as u32) as usize;
            let stride = frame.plane_stride()[plane as usize] as usize;
            let data = frame.plane_data(plane).unwrap().to_vec();
            (0..height).map(move |y| data[y * stride..][..width].to_vec()).collect::<Vec<_>>()
        })
        .collect()
}

fn active(context: &Context, info: &VideoInfo) -> gst::BufferPool {
    let pool = pool(context, &cuda_caps(info), 1, None).unwrap();
    pool.set_active(true).unwrap();
    pool
}

#[test]
fn a_frame_that_was_uploaded_is_on_the_device_and_comes_back_as_it_was() {
    let Some(stand_in) = start() else { return };
    let context = Context::new(0).unwrap();
    for format in FORMATS {
        for (width, height) in [(64, 32), (33, 18)] {
            let info = info(format, width, height);
            let pool = active(&context, &info);
            let there = pattern(&info);
            let buffer = upload(&pool, &there, &info).unwrap();
            assert!(is_cuda_buffer(&buffer) && !is_cuda_buffer(&there));
            assert_eq!(buffer.pts(), there.pts());
            {
                // Mapping it there is what brings it there.
                let frame = DeviceFrame::map_read(&buffer, &info).unwrap();
                assert_eq!(frame.planes().count(), info.n_planes() as usize, "{format}");
                assert_eq!((frame.info().width(), frame.info().format()), (width, format));
                assert_eq!(frame.context(), &context);
                for (number, plane) in frame.planes().enumerate() {
                    let component =
                        info.format_info().plane().iter().position(|p| *p as usize == number).unwrap();
                    let height = info.comp_height(component as u8) as usize;
                    let needed = plane.stride as usize * (height - 1) + 1;
                    assert!(plane.bytes >= needed, "{format} plane {number}: {plane:?}");
                }
                frame.wait();
            }
            assert!(stand_in.bytes_to_device() > 0);
            let back = download(&buffer, &info).unwrap();
            assert_eq!(back.pts(), there.pts());
            assert_eq!(rows(&back, &info), rows(&there, &info), "{format} {width}x{height}");
            pool.set_active(false).unwrap();
        }
    }
}

#[test]
fn what_is_written_on_the_device_is_what_the_host_sees_next() {
    let Some(_stand_in) = start() else { return };
    let context = Context::new(0).unwrap();
    let info = info(VideoFormat::Rgba, 16, 8);
    let pool = active(&context, &info);
    let mut buffer = upload(&pool, &pattern(&info), &info).unwrap();
    {
        let frame = DeviceFrame::map_write(buffer.make_mut(), &info).unwrap();
        let plane = frame.planes().next().unwrap();
        for y in 0..8 {
            let row = (plane.address + y * plane.stride as u64) as *mut u8;
            // SAFETY: the stand-in's device memory is ordinary memory; within the mapped plane.
            unsafe { std::ptr::write_bytes(row, 0x55, 64) };
        }
    }
    let back = download(&buffer, &info).unwrap();
    assert!(rows(&back, &info).iter().flatten().all(|byte| *byte == 0x55));
}

#[test]
fn the_video_meta_says_where_planes_lie() {
    let Some(_stand_in) = start() else { return };
    let context = Context::new(0).unwrap();
    let whole = info(VideoFormat::Nv12, 64, 48);
    let pool = active(&context, &whole);
    let buffer = upload(&pool, &pattern(&whole), &whole).unwrap();
    let (base, stride, chroma) = {
        let meta = buffer.meta::<gst_video::VideoMeta>().unwrap();
        let frame = DeviceFrame::map_read(&buffer, &whole).unwrap();
        let planes: Vec<_> = frame.planes().collect();
        assert_eq!(planes[0].stride, meta.stride()[0]);
        assert_eq!(planes[1].address - planes[0].address, meta.offset()[1] as u64);
        (planes[0].address, meta.stride()[0], meta.offset()[1])
    };
    // Every other row of the same memory, beginning at the second: a field.
    let field = info(VideoFormat::Nv12, 64, 24);
    let mut odd = gst::Buffer::new();
    let buffer = {
        let odd = odd.make_mut();
        odd.append_memory(buffer.memory(0).unwrap());
        odd
    };
    gst_video::VideoMeta::add_full(
        buffer,
        gst_video::VideoFrameFlags::empty(),
        VideoFormat::Nv12,
        64,
        24,
        &[stride as usize, chroma + stride as usize],
        &[2 * stride, 2 * stride],
    )
    .unwrap();
    let frame = DeviceFrame::map_read(buffer, &field).unwrap();
    let planes: Vec<_> = frame.planes().collect();
    assert_eq!(planes[0].address, base + stride as u64);
    assert_eq!(planes[1].address, base + (chroma + stride as usize) as u64);
    assert_eq!((planes[0].stride, planes[1].stride), (2 * stride, 2 * stride));
    drop(frame);
    // One that says more than there is, is refused.
    let larger = info(VideoFormat::Nv12, 640, 480);
    assert!(matches!(DeviceFrame::map_read(buffer, &larger), Err(Error::Map { .. })));
}

#[test]
fn other_memory_and_several_blocks_are_refused_in_words() {
    let Some(_stand_in) = start() else { return };
    let info = info(VideoFormat::Nv12, 32, 32);
    let system = pattern(&info);
    let error = DeviceFrame::map_read(&system, &info).unwrap_err();
    assert!(
        error.to_string().contains("system memory") && error.to_string().contains("cudaupload"),
        "{error}"
    );
    let mut two = pattern(&info);
    two.make_mut().append_memory(gst::Memory::from_slice([0; 16]));
    assert!(DeviceFrame::map_read(&two, &info).unwrap_err().to_string().contains("2 blocks"));
    let error = DeviceFrame::map_read(&gst::Buffer::new(), &info).unwrap_err();
    assert!(error.to_string().contains("0 blocks"), "{error}");
    assert!(download(&system, &info).is_err());
    let context = Context::new(0).unwrap();
    assert!(matches!(pool(&context, &info.to_caps().unwrap(), 0, None), Err(Error::Pool { .. })));
    let odd = VideoInfo::builder(VideoFormat::V210, 32, 32).build().unwrap();
    assert!(pool(&context, &cuda_caps(&odd), 0, None).unwrap_err().to_string().contains("v210"));
}

#[test]
fn a_full_device_is_an_error() {
    let Some(stand_in) = start() else { return };
    let context = Context::new(0).unwrap();
    let info = info(VideoFormat::Nv12, 64, 64);
    let pool = active(&context, &info);
    let _held: Vec<_> = (0..2).map(|_| pool.acquire_buffer(None).unwrap()).collect();
    stand_in.fail("cuMemAlloc", gpu::OUT_OF_MEMORY, 0, None);
    let error = upload(&pool, &pattern(&info), &info).unwrap_err();
    assert!(error.to_string().contains("the pool gives no buffer"), "{error}");
}

#[test]
fn a_context_is_one_by_its_handle_and_lives_as_long_as_it_is_used() {
    let Some(_stand_in) = start() else { return };
    struct Gone(Arc<AtomicBool>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let own = Context::new(0).unwrap();
    assert_eq!(own.device(), 0);
    assert!(!own.handle().is_null());
    let other = Context::new(0).unwrap();
    assert_ne!(own, other);
    let gone = Arc::new(AtomicBool::new(false));
    // SAFETY: `own` outlives both.
    let wrapped = unsafe { Context::wrap(own.handle(), 0, Gone(gone.clone())) }.unwrap();
    // SAFETY: as above.
    let again = unsafe { Context::wrap(own.handle(), 0, ()) }.unwrap();
    assert_eq!(wrapped.object(), again.object(), "one for each handle");
    assert_eq!(wrapped, own, "the same CUcontext");
    let travelling = wrapped.to_gst();
    assert_eq!(travelling.context_type(), "gst.cuda.context");
    assert_eq!(travelling.structure().get::<u32>("cuda-device-id"), Ok(0));
    drop((wrapped, again));
    assert!(!gone.load(Ordering::SeqCst), "held by the GstContext");
    let back = Context::from_gst(&travelling).unwrap();
    assert_eq!(back, own);
    drop(travelling);
    drop(back);
    assert!(gone.load(Ordering::SeqCst));
    assert_eq!(Context::from_gst(&gst::Context::new("gst.cuda.context", true)), None);
    assert_eq!(Context::from_gst(&gst::Context::new("gst.gl.GLDisplay", true)), None);
    // SAFETY: null is refused.
    assert!(unsafe { Context::wrap(std::ptr::null_mut(), 0, ()) }.is_err());
    assert!(Context::new(7).unwrap_err().to_string().contains("device 7"));
    drop(own.make_current().unwrap());
}

#[test]
fn references_to_a_context_are_counted() {
    let Some(stand_in) = start() else { return };
    let context = Context::new(0).unwrap();
    let count = |context: &Context| context.object().ref_count();
    assert_eq!(count(&context), 1);
    let info = info(VideoFormat::Nv12, 32, 32);
    {
        let pool = active(&context, &info);
        let buffer = upload(&pool, &pattern(&info), &info).unwrap();
        let frame = DeviceFrame::map_read(&buffer, &info).unwrap();
        assert!(count(&context) >= 4, "pool, memory, frame");
        drop(frame);
        drop(buffer);
        pool.set_active(false).unwrap();
    }
    assert_eq!(count(&context), 1);
    let element = ElementContext::default();
    let identity = gst::ElementFactory::make("identity").build().unwrap();
    element.set_context(&identity, &context.to_gst(), None);
    assert_eq!(element.get().as_ref(), Some(&context));
    assert_eq!(count(&context), 2);
    let mut query = gst::query::Context::new("gst.cuda.context");
    assert!(element.answer(&identity, &mut query));
    assert_eq!(Context::from_gst(&query.context_owned().unwrap()).as_ref(), Some(&context));
    drop(query);
    element.clear();
    assert_eq!(count(&context), 1);
    drop(context);
    assert_eq!(stand_in.count("call cuCtxDestroy_v2"), 1, "{}", stand_in.counters());
}

#[test]
fn an_element_takes_the_first_context_and_only_of_its_device() {
    let Some(stand_in) = start() else { return };
    stand_in.devices(2);
    let identity = gst::ElementFactory::make("identity").build().unwrap();
    let (first, second) = (Context::new(0).unwrap(), Context::new(1).unwrap());
    let element = ElementContext::default();
    element.set_context(&identity, &first.to_gst(), Some(1));
    assert_eq!(element.get(), None);
    element.set_context(&identity, &second.to_gst(), Some(1));
    element.set_context(&identity, &first.to_gst(), None);
    assert_eq!(element.get(), Some(second.clone()));
    let fresh = ElementContext::default();
    let error = fresh.ensure(&identity, Some(0), || Ok(second.clone())).unwrap_err();
    assert!(error.to_string().contains("another device"), "{error}");
    assert_eq!(fresh.ensure(&identity, None, || Ok(first.clone())), Ok(first.clone()));
    assert_eq!(fresh.ensure(&identity, None, || panic!("there is one")), Ok(first));
}

#[test]
fn streams_are_there_from_1_24_on() {
    let Some(_stand_in) = start() else { return };
    let cuda = GstCuda::get().unwrap();
    assert_eq!(cuda.has_streams(), gst::version() >= (1, 23, 0, 0));
    let context = Context::new(0).unwrap();
    let info = info(VideoFormat::Nv12, 32, 32);
    let stream = Stream::new(&context);
    assert_eq!(stream.is_some(), cuda.has_streams());
    let pool = pool(&context, &cuda_caps(&info), 1, stream.as_ref()).unwrap();
    pool.set_active(true).unwrap();
    let buffer = upload(&pool, &pattern(&info), &info).unwrap();
    let frame = DeviceFrame::map_read(&buffer, &info).unwrap();
    assert_eq!(frame.stream().map(|s| s.as_ptr()), stream.as_ref().map(Stream::handle));
}
