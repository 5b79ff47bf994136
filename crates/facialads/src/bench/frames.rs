//! Frames of a clip, decoded beforehand and kept in memory.

use anyhow::{Context, Result, bail};
use facialads_vision::{ColorModel, Component, Frame, Matrix, Range};
use gst::prelude::*;
use gst_video::prelude::*;
use std::path::Path;

pub struct Frames {
    pub caps: gst::Caps,
    pub buffers: Vec<gst::Buffer>,
    info: gst_video::VideoInfo,
}

impl Frames {
    /// Decodes up to `count` frames.
    pub fn decode(file: &Path, count: u32) -> Result<Self> {
        Self::convert(file, count, "video/x-raw,format=I420")
    }

    /// The same, scaled to a width and height.
    pub fn decode_scaled(file: &Path, count: u32, (width, height): (u32, u32)) -> Result<Self> {
        Self::convert(file, count, &format!("video/x-raw,format=I420,width={width},height={height}"))
    }

    fn convert(file: &Path, count: u32, caps: &str) -> Result<Self> {
        let path = file.canonicalize().with_context(|| format!("cannot read {}", file.display()))?;
        let line = format!(
            "uridecodebin name=in ! videoconvert ! videoscale ! {caps} ! appsink name=out sync=false max-buffers=4"
        );
        let pipeline = gst::parse::launch(&line)?;
        let bin = pipeline.downcast_ref::<gst::Pipeline>().context("not a pipeline")?;
        let uri = gst::glib::filename_to_uri(path, None)?;
        bin.by_name("in").context("no decoder")?.set_property("uri", uri.as_str());
        let out = bin.by_name("out").context("no end")?;
        let out = out.downcast::<gst_app::AppSink>().map_err(|_| anyhow::anyhow!("no appsink"))?;
        bin.set_state(gst::State::Playing)?;
        let result = pull(&out, count);
        let error = bin.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        bin.set_state(gst::State::Null)?;
        if let Some(gst::MessageView::Error(error)) = error.as_ref().map(|message| message.view()) {
            bail!("{}: {}", file.display(), error.error());
        }
        let (caps, buffers) = result.with_context(|| format!("no video in {}", file.display()))?;
        let info = gst_video::VideoInfo::from_caps(&caps)?;
        Ok(Self { caps, buffers, info })
    }

    pub fn count(&self) -> u32 {
        u32::try_from(self.buffers.len()).unwrap_or(u32::MAX)
    }

    pub fn describe(&self, file: &Path) -> String {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!("{} frames of {}x{} I420 from {name}", self.count(), self.info.width(), self.info.height())
    }

    /// Lends each frame to `look`, with its running time.
    pub fn each(
        &self,
        mut look: impl FnMut(&Frame, std::time::Duration) -> Result<(), facialads_vision::Error>,
    ) -> Result<()> {
        let matrix = match self.info.colorimetry().matrix() {
            gst_video::VideoColorMatrix::Bt709 => Matrix::Bt709,
            _ => Matrix::Bt601,
        };
        let color = ColorModel::Yuv { matrix, range: Range::Limited };
        for buffer in &self.buffers {
            let picture = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &self.info)?;
            let component = |n: u32| -> Result<Component> {
                let shift = u8::from(n > 0);
                Ok(Component {
                    data: picture.plane_data(n)?,
                    row_stride: usize::try_from(picture.plane_stride()[n as usize])?,
                    pixel_stride: 1,
                    shift_x: shift,
                    shift_y: shift,
                })
            };
            let components = [component(0)?, component(1)?, component(2)?];
            let frame = Frame::new(picture.width(), picture.height(), color, &components)?;
            look(&frame, buffer.pts().unwrap_or_default().into())?;
        }
        Ok(())
    }
}

fn pull(out: &gst_app::AppSink, count: u32) -> Option<(gst::Caps, Vec<gst::Buffer>)> {
    let mut caps = None;
    let mut buffers = Vec::new();
    while let Some(sample) = out.try_pull_sample(gst::ClockTime::from_seconds(30)) {
        caps = caps.or_else(|| sample.caps_owned());
        // A copy: the decoder's pool is small.
        buffers.extend(sample.buffer().and_then(|b| b.copy_deep().ok()));
        if buffers.len() >= count as usize {
            break;
        }
    }
    caps.map(|caps| (caps, buffers))
}
