//! What is asked from downstream.

use super::{AdInsert, LIVE_WAIT};
use crate::adinsert::timeline::clock_time;
use facialads_splice::Time;
use gst::{ClockTime, QueryViewMut, subclass::prelude::*};

impl AdInsert {
    pub(super) fn src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        let answered = gst::Pad::query_default(pad, Some(&*self.obj()), query);
        if !answered {
            return false;
        }
        let Some(session) = self.session() else { return true };
        match query.view_mut() {
            // A frame of an ad whose decoder is late holds the programme up for so long.
            QueryViewMut::Latency(latency) => {
                let (live, min, max) = latency.result();
                if live {
                    latency.set(
                        live,
                        min.saturating_add(LIVE_WAIT),
                        max.map(|max| max.saturating_add(LIVE_WAIT)),
                    );
                }
            }
            // With what was inserted so far; what will be is not known before it is decided.
            QueryViewMut::Duration(duration) if session.insert_mode() => {
                if let gst::GenericFormattedValue::Time(Some(time)) = duration.result() {
                    duration.set(time.saturating_add(self.inserted()));
                }
            }
            QueryViewMut::Position(position) if session.insert_mode() => {
                if let gst::GenericFormattedValue::Time(Some(time)) = position.result() {
                    position.set(time.saturating_add(self.inserted()));
                }
            }
            _ => {}
        }
        true
    }

    fn inserted(&self) -> ClockTime {
        let shift: Time = self.session().map_or(0, |s| s.look(|s| s.machine.inserted()));
        clock_time(shift)
    }
}
