//! What a creative has to match, and the house ad that is kept ready for it.

use super::{AudioPad, Prepared, Session, outbox::Out};
use crate::adinsert::creative::Format;
use facialads_gstcuda::Context;
use facialads_splice::{FrameRate, House, PadId, Time};
use std::sync::Arc;

impl Session {
    pub fn add_audio(self: &Arc<Self>) -> PadId {
        self.change(|s| {
            let id = s.machine.add_audio();
            s.audio.push(AudioPad { id, caps: None, gone: false });
            id
        })
    }
    pub fn remove_audio(self: &Arc<Self>, id: PadId) {
        self.change(|s| {
            s.machine.remove_pad(id);
            s.audio.iter_mut().filter(|a| a.id == id).for_each(|a| a.gone = true);
        });
    }

    /// `context`: the CUDA context that the frames are in. Another one, and caps with memory of another kind, are as good as
    /// another picture: what was prepared does not fit any more.
    pub fn set_video_caps(
        self: &Arc<Self>,
        caps: gst::Caps,
        context: Option<Context>,
        rate: Option<FrameRate>,
    ) {
        let prepare = self.change(|s| {
            if s.video_caps.as_ref() == Some(&caps) && s.context == context {
                return false;
            }
            s.context = context;
            if s.video_caps.replace(caps).is_some() {
                s.machine.format_changed(true);
            }
            s.rate = rate;
            s.machine.set_rate(rate);
            true
        });
        if prepare {
            self.prepare_house();
        }
    }
    pub fn set_audio_caps(self: &Arc<Self>, id: PadId, caps: gst::Caps) {
        let prepare = self.change(|s| {
            let Some(pad) = s.audio.iter_mut().find(|a| a.id == id) else { return false };
            if pad.caps.as_ref() == Some(&caps) {
                return false;
            }
            if pad.caps.replace(caps).is_some() {
                s.machine.format_changed(false);
            }
            true
        });
        if prepare {
            self.prepare_house();
        }
    }

    /// What the caps are now that a creative has to match; audio in pad order.
    pub fn format(&self) -> (Format, Vec<PadId>) {
        self.look(|s| {
            let known: Vec<_> =
                s.audio.iter().filter(|a| !a.gone).filter_map(|a| Some((a.id, a.caps.clone()?))).collect();
            let (pads, audio) = known.into_iter().unzip();
            (Format { video: s.video_caps.clone(), context: s.context.clone(), audio }, pads)
        })
    }
    /// Whether the caps of every pad that will have some are known.
    pub fn format_is_complete(&self) -> bool {
        self.look(|s| s.rate.is_some() && s.audio.iter().all(|a| a.gone || a.caps.is_some()))
    }

    /// Takes a house ad that is ready. `false`: it was prepared for caps that have changed since.
    pub fn set_house(self: &Arc<Self>, turn: u64, prepared: Prepared, length: Time) -> bool {
        self.change(|s| {
            if s.stopped || s.house_turn != turn {
                return false;
            }
            s.house = Some(prepared);
            s.machine.set_house(House::Ready(length));
            true
        })
    }
    /// Begins another preparation of the house ad: drops the one before.
    pub fn next_house_turn(self: &Arc<Self>) -> u64 {
        self.change(|s| {
            s.house_turn += 1;
            s.machine.set_house(House::Preparing);
            if let Some(house) = s.house.take() {
                s.outbox.push_back(Out::Drop(house.creative));
            }
            s.house_turn
        })
    }
    /// There will be no house ad.
    pub fn give_up_house(self: &Arc<Self>, turn: u64) {
        self.change(|s| {
            if s.house_turn == turn {
                s.machine.set_house(House::None);
            }
        });
    }
    pub fn house_turn(&self) -> u64 {
        self.look(|s| s.house_turn)
    }
}
