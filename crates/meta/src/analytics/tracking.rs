//! Tracks in a relation meta, past the binding: its reading panics at a time that is "none", which a tracker without
//! timestamps writes, and its changing borrows the meta for good.

use gst_analytics::{AnalyticsRelationMeta, ffi};

/// A track, as GStreamer keeps it. Times are running times.
pub struct Tracking {
    pub id: u64,
    pub first_seen: Option<gst::ClockTime>,
    pub last_seen: Option<gst::ClockTime>,
    pub lost: bool,
}

fn nanoseconds(time: Option<gst::ClockTime>) -> u64 {
    time.map_or(gst::ffi::GST_CLOCK_TIME_NONE, gst::ClockTime::nseconds)
}

impl Tracking {
    /// What is said of the track with this number; nothing where it is none.
    pub fn read(meta: &AnalyticsRelationMeta, number: u32) -> Self {
        let (mut id, mut first_seen, mut last_seen, mut lost) = (0, 0, 0, 0);
        // SAFETY: the meta is borrowed for the time of the call, which checks the number and writes to the four places;
        // GstAnalyticsTrackingMtd is GstAnalyticsMtd by another name (gstanalyticsobjecttrackingmtd.h).
        unsafe {
            let track = ffi::GstAnalyticsTrackingMtd { id: number, meta: meta.as_mut_ptr() };
            ffi::gst_analytics_tracking_mtd_get_info(
                &track,
                &mut id,
                &mut first_seen,
                &mut last_seen,
                &mut lost,
            );
        }
        Self { id, first_seen: crate::time(first_seen), last_seen: crate::time(last_seen), lost: lost != 0 }
    }

    /// Adds it and returns its number there; `None` where there is no memory.
    pub fn add(&self, meta: &mut AnalyticsRelationMeta) -> Option<u32> {
        // SAFETY: the meta is borrowed mutably for the time of the calls, and the handle is written to before it is
        // read: a call that did not succeed returns 0.
        unsafe {
            let mut track = ffi::GstAnalyticsTrackingMtd { id: 0, meta: std::ptr::null_mut() };
            let added = ffi::gst_analytics_relation_meta_add_tracking_mtd(
                meta.as_mut_ptr(),
                self.id,
                nanoseconds(self.first_seen),
                &mut track,
            );
            if added == 0 {
                return None;
            }
            ffi::gst_analytics_tracking_mtd_update_last_seen(&mut track, nanoseconds(self.last_seen));
            if self.lost {
                ffi::gst_analytics_tracking_mtd_set_lost(&mut track);
            }
            Some(track.id)
        }
    }
}
