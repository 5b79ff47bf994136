//! Which CUDA context the programme's frames are in: advertisements are decoded into the same one.

use super::AdInsert;
use crate::adinsert::session::{Session, lock};
use facialads_gstcuda::Context;
use gst::subclass::prelude::*;
use std::sync::Arc;

impl AdInsert {
    /// Before the first frame: what the elements around, or the application, say. `None` for caps in system memory.
    pub(super) fn context_of_neighbours(&self, caps: &gst::CapsRef) -> Option<Context> {
        if !facialads_gstcuda::is_cuda(caps) {
            return None;
        }
        self.cuda.find(&*self.obj())
    }

    /// The frames themselves decide: another GPU, or an element upstream that was exchanged, changes the context without a change
    /// of caps.
    pub(super) fn follow_context(&self, session: &Arc<Session>, buffer: &gst::BufferRef) {
        let (caps, known, rate) = {
            let stream = lock(&self.video.stream);
            let cuda = stream.caps.clone().filter(|caps| facialads_gstcuda::is_cuda(caps));
            (cuda, stream.context.clone(), stream.rate)
        };
        let Some(caps) = caps else { return };
        let Some(context) = facialads_gstcuda::context_of(buffer).filter(|c| Some(c) != known.as_ref())
        else {
            return;
        };
        lock(&self.video.stream).context = Some(context.clone());
        session.set_video_caps(caps, Some(context), rate);
    }
}
