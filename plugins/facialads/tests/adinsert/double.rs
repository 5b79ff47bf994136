//! A creative that behaves as a test wants it to.

use super::*;
use gstfacialads::adinsert::creative::{Creative, Format, Frame, Readiness};
use std::time::Instant;

#[derive(Clone, Debug)]
pub struct Behaviour {
    pub length: Duration,
    /// Ready so long after it was opened.
    pub opens_in: Duration,
    /// Its decoder makes a frame in this time.
    pub frame_in: Duration,
    pub fails_at: Option<Duration>,
    pub tag: u8,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            length: Duration::from_secs(5),
            opens_in: Duration::ZERO,
            frame_in: Duration::ZERO,
            fails_at: None,
            tag: 1,
        }
    }
}

/// Opens the same double whatever it is asked for.
pub struct Doubles(pub Behaviour);

impl CreativeSource for Doubles {
    fn open(&self, _uri: &str, format: &Format, _timeout: gst::ClockTime) -> Arc<dyn Creative> {
        let info = gst_video::VideoInfo::from_caps(format.video.as_ref().unwrap()).unwrap();
        let info = gst_video::VideoInfo::builder(info.format(), info.width(), info.height())
            .fps(info.fps())
            .build()
            .unwrap();
        Arc::new(Double {
            behaviour: self.0.clone(),
            info,
            opened: Instant::now(),
            decoder: Mutex::new((None, 0)),
        })
    }
}

struct Double {
    behaviour: Behaviour,
    info: gst_video::VideoInfo,
    opened: Instant,
    /// When its first frame was asked for, and the last frame that was handed out.
    decoder: Mutex<(Option<Instant>, u64)>,
}

impl Creative for Double {
    fn readiness(&self) -> Readiness {
        if self.opened.elapsed() >= self.behaviour.opens_in { Readiness::Ready } else { Readiness::Preparing }
    }
    fn has_video(&self) -> bool {
        true
    }
    fn has_audio(&self) -> bool {
        true
    }
    fn duration(&self) -> Option<gst::ClockTime> {
        gst::ClockTime::try_from(self.behaviour.length).ok()
    }
    fn frame(&self, time: gst::ClockTime, wait: gst::ClockTime) -> Frame {
        if self.behaviour.fails_at.is_some_and(|at| Duration::from(time) >= at) {
            return Frame::Failed("the double failed as it was told".into());
        }
        let fps = (self.info.fps().numer(), self.info.fps().denom());
        let wanted = time.nseconds().mul_div_round(fps.0 as u64, SECOND * fps.1 as u64).unwrap();
        let picture =
            |index| numbered_frame(&self.info, Numbered { tag: self.behaviour.tag, index: index as u32 });
        if self.behaviour.frame_in.is_zero() {
            return Frame::Picture(picture(wanted));
        }
        // A decoder that makes frames one after the other, from the first request on.
        let begun = *self.decoder.lock().unwrap().0.get_or_insert_with(Instant::now);
        let due = self.behaviour.frame_in * wanted as u32;
        let deadline = Instant::now() + Duration::from(wait);
        while begun.elapsed() < due && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let made = (begun.elapsed().as_nanos() / self.behaviour.frame_in.as_nanos()) as u64;
        let mut decoder = self.decoder.lock().unwrap();
        if made >= wanted {
            decoder.1 = wanted;
            Frame::Picture(picture(wanted))
        } else if made > decoder.1 {
            decoder.1 = made;
            Frame::Picture(picture(made))
        } else {
            Frame::Held(picture(decoder.1))
        }
    }
    fn samples(&self, _pad: usize, position: u64, out: &mut [u8], _wait: gst::ClockTime) -> usize {
        for (index, sample) in out.chunks_exact_mut(2).enumerate() {
            sample.copy_from_slice(&ramp(position + index as u64).to_le_bytes());
        }
        out.len() / 2
    }
    fn cancel(&self) {}
}
