//! A clip, decoded frame by frame.

use anyhow::{Context, Result, bail};
use facialads_vision::{ColorModel, Component, Frame, Matrix, Range};
use gst::prelude::*;
use gst_video::prelude::*;
use std::{path::Path, time::Duration};

/// How long the first frame may take to come, and any other.
const FIRST: gst::ClockTime = gst::ClockTime::from_seconds(30);
const LATER: gst::ClockTime = gst::ClockTime::from_seconds(10);
/// Where a clip does not say.
const USUAL_FPS: f64 = 25.0;

pub struct Clip {
    pipeline: gst::Pipeline,
    out: gst_app::AppSink,
    name: String,
    frames: usize,
    last: Option<Duration>,
}

/// One frame. Never printed.
pub struct Picture {
    sample: gst::Sample,
    pub number: usize,
    pub fps: f64,
    /// From the beginning of the clip.
    pub time: Duration,
}

impl Clip {
    pub fn open(file: &Path) -> Result<Self> {
        gst::init().context("GStreamer cannot be started")?;
        let path = file.canonicalize().with_context(|| format!("cannot read {}", file.display()))?;
        let line = "uridecodebin name=in ! videoconvert ! video/x-raw,format=I420 ! appsink name=out sync=false max-buffers=4";
        let pipeline = gst::parse::launch(line)?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| anyhow::anyhow!("not a pipeline"))?;
        let uri = gst::glib::filename_to_uri(path, None)?;
        pipeline.by_name("in").context("no decoder")?.set_property("uri", uri.as_str());
        let out = pipeline.by_name("out").context("no end")?;
        let out = out.downcast::<gst_app::AppSink>().map_err(|_| anyhow::anyhow!("no appsink"))?;
        let clip = Self { pipeline, out, name: file.display().to_string(), frames: 0, last: None };
        if clip.pipeline.set_state(gst::State::Playing).is_err() {
            clip.problem()?;
            bail!("{}: cannot be played", clip.name);
        }
        Ok(clip)
    }

    /// The next frame; nothing at the end.
    pub fn next(&mut self) -> Result<Option<Picture>> {
        let patience = if self.frames == 0 { FIRST } else { LATER };
        let Some(sample) = self.out.try_pull_sample(patience) else {
            self.problem()?;
            if self.frames == 0 {
                bail!("{}: no video in it", self.name);
            }
            // GStreamer's demuxer of GIF never tells of the end of some of them.
            if !self.out.is_eos() {
                eprintln!("{}: nothing comes after frame {}; taken for the end", self.name, self.frames - 1);
            }
            return Ok(None);
        };
        let fps = sample
            .caps()
            .and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok())
            .map(|info| info.fps())
            .filter(|fps| fps.numer() > 0 && fps.denom() > 0)
            .map_or(USUAL_FPS, |fps| f64::from(fps.numer()) / f64::from(fps.denom()));
        // Some demuxers, that of GIF among them, give every frame the same time: then frames last as long as the clip says.
        let stamped = running_time(&sample).filter(|time| self.last.is_none_or(|last| *time > last));
        let next = self.last.map_or(Duration::ZERO, |last| last + Duration::from_secs_f64(1.0 / fps));
        let time = stamped.unwrap_or(next);
        (self.frames, self.last) = (self.frames + 1, Some(time));
        Ok(Some(Picture { sample, number: self.frames - 1, fps, time }))
    }

    fn problem(&self) -> Result<()> {
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => bail!("{}: {}", self.name, error.error()),
            _ => Ok(()),
        }
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn running_time(sample: &gst::Sample) -> Option<Duration> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    segment.to_running_time(sample.buffer()?.pts()?).map(Into::into)
}

impl Picture {
    /// Lends the frame to `look`.
    pub fn with<T>(&self, look: impl FnOnce(&Frame) -> Result<T>) -> Result<T> {
        let (buffer, caps) =
            self.sample.buffer().zip(self.sample.caps()).context("a sample without a frame")?;
        let info = gst_video::VideoInfo::from_caps(caps)?;
        let picture = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info)?;
        let colorimetry = info.colorimetry();
        let matrix = match colorimetry.matrix() {
            gst_video::VideoColorMatrix::Bt709 => Matrix::Bt709,
            gst_video::VideoColorMatrix::Bt2020 => Matrix::Bt2020,
            _ => Matrix::Bt601,
        };
        let range = match colorimetry.range() {
            gst_video::VideoColorRange::Range0_255 => Range::Full,
            _ => Range::Limited,
        };
        let component = |n: u32| -> Result<Component> {
            let shift = u8::from(n > 0);
            Ok(Component {
                data: picture.plane_data(n)?,
                row_stride: usize::try_from(*picture.plane_stride().get(n as usize).unwrap_or(&0))?,
                pixel_stride: 1,
                shift_x: shift,
                shift_y: shift,
            })
        };
        let components = [component(0)?, component(1)?, component(2)?];
        let color = ColorModel::Yuv { matrix, range };
        look(&Frame::new(picture.width(), picture.height(), color, &components)?)
    }
}
