//! What our custom metas have in common: how they are registered, and what happens to them when another element makes
//! a new buffer out of the one that they are on.
//!
//! A custom meta without tags is copied by everything, so it would leave a crop or a flip describing a picture that is
//! no longer there. Ours are tagged `video`, `size` and `orientation`, so elements that change either drop them or ask
//! the transform function here, which carries a meta on only where it knows that fractions of the picture still mean
//! the same. Elements that crop without touching the buffer (by adding a `GstVideoCropMeta`) ask nobody; they are
//! found out when the meta is read, by [`CROP`].

use gst::{buffer::BufferMetaForeachAction, glib, meta::CustomMeta};
use std::{ffi::CStr, ops::ControlFlow, ptr};

/// What becomes of a meta that cannot be carried on: `Some` rewrites it, `None` leaves it behind.
pub type Lost = Option<fn(&mut gst::StructureRef)>;

/// The `GstVideoCropMeta` that was there when the meta was attached, as "x,y,width,height"; left out where none was.
const CROP: &str = "crop";

struct Rule {
    name: &'static CStr,
    lost: Lost,
}

/// Registers a custom meta once. A second copy of this crate in the process (an application that links it beside the
/// plugin) finds it there and leaves it.
pub fn register(name: &'static CStr, lost: Lost) {
    let Ok(text) = name.to_str() else { return };
    if CustomMeta::is_registered(text) {
        return;
    }
    let mut tags = [c"video".as_ptr(), c"size".as_ptr(), c"orientation".as_ptr(), ptr::null()];
    let rule = Box::into_raw(Box::new(Rule { name, lost }));
    // SAFETY: name and tags are NUL-terminated and copied by GStreamer; `transform` has the type asked for and reads
    // `rule` only as the `Rule` that it is; metas are never unregistered, so it is never freed and needs no destroy
    // function.
    unsafe {
        gst::ffi::gst_meta_register_custom(
            name.as_ptr(),
            tags.as_mut_ptr(),
            Some(transform),
            rule.cast(),
            None,
        );
    }
}

/// `GstCustomMetaTransformFunction`. Always says TRUE: a meta that was left behind on purpose is not an error, and
/// `gst_buffer_copy_into` logs FALSE as one.
unsafe extern "C" fn transform(
    dest: *mut gst::ffi::GstBuffer,
    meta: *mut gst::ffi::GstCustomMeta,
    src: *mut gst::ffi::GstBuffer,
    kind: glib::ffi::GQuark,
    data: glib::ffi::gpointer,
    user_data: glib::ffi::gpointer,
) -> glib::ffi::gboolean {
    // SAFETY: GStreamer calls this with a writable destination, a meta of ours on a source buffer that outlives the
    // call, the data that belongs to `kind`, and the `Rule` given at registration. A custom meta always has a
    // structure. The structure of the new meta belongs to `dest` and nobody else has a reference to it yet.
    unsafe {
        let rule = &*user_data.cast::<Rule>();
        let followed = follows(
            gst::BufferRef::from_ptr(dest),
            gst::BufferRef::from_ptr(src),
            glib::translate::from_glib(kind),
            data,
        );
        if !followed && rule.lost.is_none() {
            return glib::ffi::GTRUE;
        }
        let added = gst::ffi::gst_buffer_add_custom_meta(dest, rule.name.as_ptr());
        if added.is_null() {
            return glib::ffi::GTRUE;
        }
        let from = gst::StructureRef::from_glib_borrow(gst::ffi::gst_custom_meta_get_structure(meta));
        let to = gst::StructureRef::from_glib_borrow_mut(gst::ffi::gst_custom_meta_get_structure(added));
        for (field, value) in from.iter() {
            to.set_value(field.as_str(), value.clone());
        }
        if let (false, Some(rewrite)) = (followed, rule.lost) {
            rewrite(to);
        }
    }
    glib::ffi::GTRUE
}

/// Whether a fraction of the source's picture is the same fraction of the destination's.
///
/// # Safety
/// `data` must be what GStreamer passes for a transform of this kind.
unsafe fn follows(
    dest: &gst::BufferRef,
    src: &gst::BufferRef,
    kind: glib::Quark,
    data: glib::ffi::gpointer,
) -> bool {
    match kind.as_str().as_str() {
        // A copy of the same bytes. Encoders and decoders call it a copy too when they hand metas from picture to
        // bitstream and back; the sizes tell.
        "gst-copy" => src.size() > 0 && dest.size() == src.size(),
        "gst-video-scale" => {
            let infos = data.cast::<gst_video::ffi::GstVideoMetaTransform>();
            if infos.is_null() {
                return false;
            }
            // SAFETY: for this kind `data` is a GstVideoMetaTransform (gstvideometa.h), checked not to be NULL, and
            // its two infos are valid or NULL for the time of the call.
            unsafe {
                match ((*infos).in_info.as_ref(), (*infos).out_info.as_ref()) {
                    (Some(from), Some(to)) => same_shape(Shape::of(from), Shape::of(to)),
                    _ => false,
                }
            }
        }
        _ => false,
    }
}

#[derive(Clone, Copy)]
struct Shape {
    width: i32,
    height: i32,
    pixel_aspect: (i32, i32),
}

impl Shape {
    fn of(info: &gst_video::ffi::GstVideoInfo) -> Self {
        Self { width: info.width, height: info.height, pixel_aspect: (info.par_n, info.par_d) }
    }
}

/// Whether a scaled picture fills the frame that it was scaled into. `videoscale` puts black borders around a picture
/// whose display aspect ratio the output does not have, and does not say so to anybody; then fractions of the frame
/// are no longer the fractions that were consented to. One pixel of rounding is allowed, and two percent.
fn same_shape(from: Shape, to: Shape) -> bool {
    let values = [
        from.width,
        from.height,
        from.pixel_aspect.0,
        from.pixel_aspect.1,
        to.width,
        to.height,
        to.pixel_aspect.0,
    ];
    if values.iter().any(|v| *v <= 0) || to.pixel_aspect.1 <= 0 {
        return false;
    }
    let display = |s: Shape| {
        f64::from(s.width) * f64::from(s.pixel_aspect.0) / (f64::from(s.height) * f64::from(s.pixel_aspect.1))
    };
    let stretch = display(from) / display(to);
    let (width, height) = (f64::from(to.width), f64::from(to.height));
    let off_by = (width * (stretch - 1.0)).abs().min((height * (1.0 / stretch - 1.0)).abs());
    off_by <= 1.0 && (stretch - 1.0).abs() <= 0.02
}

/// Attaches a meta in place of any of its name, and fills it.
pub fn replace(buffer: &mut gst::BufferRef, name: &str, fill: impl FnOnce(&mut gst::StructureRef)) {
    remove(buffer, name);
    let crop = crop_of(buffer);
    match CustomMeta::add(buffer, name) {
        Ok(mut meta) => {
            let structure = meta.mut_structure();
            if let Some(crop) = crop {
                structure.set(CROP, crop);
            }
            fill(structure);
        }
        // Without the meta nothing is allowed downstream, so this is safe; it happens only where init() was forgotten.
        Err(_) => gst::warning!(gst::CAT_RUST, "{name} is not registered: call facialads_meta::init() first"),
    }
}

/// Changes the meta of this name, which is added where there is none.
pub fn update(buffer: &mut gst::BufferRef, name: &str, change: impl FnOnce(&mut gst::StructureRef)) {
    match CustomMeta::from_mut_buffer(buffer, name) {
        Ok(mut meta) => change(meta.mut_structure()),
        Err(_) => replace(buffer, name, change),
    }
}

/// What `parse` makes of the meta of this name, given its structure and whether the picture was cropped behind its back.
pub fn find<T>(
    buffer: &gst::BufferRef,
    name: &str,
    parse: impl FnOnce(&gst::StructureRef, bool) -> Option<T>,
) -> Option<T> {
    let meta = CustomMeta::from_buffer(buffer, name).ok()?;
    let structure = meta.structure();
    let cropped = crop_of(buffer).as_deref() != structure.get_optional::<&str>(CROP).ok().flatten();
    parse(structure, cropped)
}

fn crop_of(buffer: &gst::BufferRef) -> Option<String> {
    let (x, y, width, height) = buffer.meta::<gst_video::VideoCropMeta>()?.rect();
    Some(format!("{x},{y},{width},{height}"))
}

/// Removes every meta of this name.
pub fn remove(buffer: &mut gst::BufferRef, name: &str) {
    remove_where(buffer, |meta| meta.try_as_custom_meta().is_some_and(|custom| custom.has_name(name)));
}

/// Removes every meta that `unwanted` points at.
pub fn remove_where(
    buffer: &mut gst::BufferRef,
    unwanted: impl Fn(&gst::MetaRefMut<'_, gst::Meta, gst::meta::Iterated>) -> bool,
) {
    buffer.foreach_meta_mut(|meta| {
        ControlFlow::Continue(if unwanted(&meta) {
            BufferMetaForeachAction::Remove
        } else {
            BufferMetaForeachAction::Keep
        })
    });
}
