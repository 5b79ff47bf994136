//! How an element comes by the pipeline's context, and hands it on.

use crate::{Context, Error, GstCuda, Result, api};
use gst::{glib::translate::*, prelude::*};
use std::{
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// An element's CUDA context: what GStreamer's own elements do in `set_context` and in their queries.
///
/// | in the element's | call |
/// |---|---|
/// | `set_context` | [`ElementContext::set_context`], then the parent's |
/// | query function of both pads | [`ElementContext::answer`], the parent's where that says `false` |
/// | `change_state`, NULL to READY | [`ElementContext::ensure`], if it will need one: before elements upstream make their own |
/// | `change_state`, READY to NULL | [`ElementContext::clear`] |
///
/// Each function takes next to no time where there is no CUDA, and reports nothing then.
#[derive(Debug, Default)]
pub struct ElementContext(Mutex<Option<Context>>);

impl ElementContext {
    fn lock(&self) -> MutexGuard<'_, Option<Context>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The context, if there is one by now.
    pub fn get(&self) -> Option<Context> {
        self.lock().clone()
    }

    /// Lets it go, so that its memory can be freed.
    pub fn clear(&self) {
        // Dropped outside the lock: the last reference destroys a context, which calls out.
        let context = self.lock().take();
        drop(context);
    }

    /// Takes the context that the application or a neighbour gives, unless there is one already. `device`: refuse one on
    /// another device. Other kinds of contexts are none of its business.
    pub fn set_context(&self, element: &impl IsA<gst::Element>, context: &gst::Context, device: Option<u32>) {
        if context.context_type() != api::CONTEXT_TYPE || self.lock().is_some() {
            return;
        }
        // Whoever made the context has opened the library.
        let Ok(cuda) = GstCuda::get() else { return };
        let mut found = ptr::null_mut();
        // SAFETY: both live; `found` is null or a new reference afterwards.
        let taken = unsafe {
            (cuda.functions.cuda_handle_set_context)(
                element.upcast_ref::<gst::Element>().to_glib_none().0,
                context.to_glib_none().0,
                device.and_then(|device| i32::try_from(device).ok()).unwrap_or(-1),
                &mut found,
            )
        };
        // SAFETY: as above.
        let found = unsafe { Context::from_full(cuda, found) }.filter(|_| taken != 0);
        let unused = {
            let mut own = self.lock();
            if own.is_none() { std::mem::replace(&mut *own, found) } else { found }
        };
        drop(unused);
    }

    /// Answers a CONTEXT query for CUDA. `false`: it is not one, or there is no context here; then ask on.
    pub fn answer(&self, element: &impl IsA<gst::Element>, query: &mut gst::QueryRef) -> bool {
        let Some(context) = self.get().filter(|_| asks_for_cuda(query)) else { return false };
        // SAFETY: all three live; the context is not taken over.
        unsafe {
            (context.cuda().functions.cuda_handle_context_query)(
                element.upcast_ref::<gst::Element>().to_glib_none().0,
                query.as_mut_ptr(),
                context.as_ptr(),
            ) != 0
        }
    }

    /// The pipeline's context: the one that is here; else that of the elements downstream, upstream, or the application's, each
    /// asked as GStreamer's own elements do; else what `or` makes, which is then offered to everybody else. `element`'s
    /// `set_context` has to call ours.
    ///
    /// # Errors
    /// No CUDA, or what `or` says.
    pub fn ensure(
        &self,
        element: &impl IsA<gst::Element>,
        device: Option<u32>,
        or: impl FnOnce() -> Result<Context>,
    ) -> Result<Context> {
        GstCuda::get()?;
        let element = element.upcast_ref::<gst::Element>();
        if let Some(context) = self.find(element) {
            return Ok(context);
        }
        let made = or()?;
        if device.is_some_and(|device| device != made.device()) {
            return Err(Error::Context { device: made.device(), problem: "another device is asked for" });
        }
        let offered = made.to_gst();
        // To our own `set_context`, and kept by the element for whoever asks it.
        element.set_context(&offered);
        let context = {
            let mut own = self.lock();
            own.get_or_insert(made).clone()
        };
        // Bins keep it for elements that start later.
        let message = gst::message::HaveContext::builder(context.to_gst()).src(element).build();
        let _ = element.post_message(message);
        Ok(context)
    }

    /// Asks neighbours and the application.
    pub fn find(&self, element: &impl IsA<gst::Element>) -> Option<Context> {
        let element = element.upcast_ref::<gst::Element>();
        for pads in [element.src_pads(), element.sink_pads()] {
            if let Some(context) = self.get() {
                return Some(context);
            }
            let mut query = gst::query::Context::new(api::CONTEXT_TYPE);
            if pads.iter().any(|pad| pad.peer_query(&mut query))
                && let Some(context) = query.context_owned()
            {
                element.set_context(&context);
            }
        }
        if self.get().is_none() {
            let message = gst::message::NeedContext::builder(api::CONTEXT_TYPE).src(element).build();
            let _ = element.post_message(message);
        }
        self.get()
    }
}

fn asks_for_cuda(query: &gst::QueryRef) -> bool {
    matches!(query.view(), gst::QueryView::Context(query) if query.context_type() == api::CONTEXT_TYPE)
}
