//! A GStreamer buffer as the picture that `facialads-vision` reads, where it lies: in system memory or in a GPU's.

mod cuda;
mod host;

use facialads_gstcuda::Context;
use facialads_vision::{
    ColorModel, Matrix, Range, View,
    cuda::{Payload, count_to_host},
};
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoInfo};

pub use cuda::{FORMATS as CUDA_FORMATS, Reader as CudaReader};

/// Why a buffer could not be looked at. Never a reason to stop the stream.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("caps {0} describe no picture")]
    Caps(gst::Caps),
    #[error("a buffer does not hold a whole {0} picture of {1}x{2}")]
    Buffer(VideoFormat, u32, u32),
    #[error("{0} cannot be converted to RGB by this GStreamer")]
    NoConverter(VideoFormat),
    #[error("{0} cannot be read in CUDA memory; put cudaconvert upstream, for instance to NV12")]
    CudaFormat(VideoFormat),
    #[error(transparent)]
    Cuda(#[from] facialads_gstcuda::Error),
    #[error(transparent)]
    Frame(#[from] facialads_vision::Error),
}

/// Sink and source pad templates of an element that leaves pictures where they lie: every raw format in system memory, and
/// those of CUDA memory that our kernels read.
pub fn pads_of_any_raw_format() -> Vec<gst::PadTemplate> {
    let mut caps = gst_video::VideoCapsBuilder::new().build();
    caps.make_mut().append(facialads_gstcuda::video_caps(CUDA_FORMATS));
    [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
        .into_iter()
        .filter_map(|(name, direction)| {
            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
        })
        .collect()
}

/// Reads the buffers of one stream; made anew when the caps change.
pub struct Reader {
    info: VideoInfo,
    source: Source,
}

enum Source {
    Host(host::Reader),
    Cuda(cuda::Reader),
    /// In CUDA memory, but no kernel can be run there.
    Copied(host::Reader),
}

impl Reader {
    /// # Errors
    /// No picture, or none that can be read here: CUDA memory without CUDA among them.
    pub fn new(caps: &gst::Caps) -> Result<Self, Unreadable> {
        let info = VideoInfo::from_caps(caps).map_err(|_| Unreadable::Caps(caps.clone()))?;
        let source = if facialads_gstcuda::is_cuda(caps) {
            Source::Cuda(cuda::Reader::new(&info)?)
        } else {
            Source::Host(host::Reader::new(&info)?)
        };
        Ok(Self { info, source })
    }

    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// "system" or "CUDA".
    pub fn memory(&self) -> &'static str {
        match self.source {
            Source::Host(_) => "system",
            Source::Cuda(_) | Source::Copied(_) => "CUDA",
        }
    }

    /// Name of the GPU that the frames lie on, once one was looked at.
    pub fn gpu(&self) -> Option<&str> {
        match &self.source {
            Source::Host(_) | Source::Copied(_) => None,
            Source::Cuda(reader) => reader.gpu(),
        }
    }

    /// Makes ready for frames in this context, as far as that is slow: to be called before the first frame.
    ///
    /// # Errors
    /// The kernels cannot be compiled, or the GPU fails; see [`Reader::read_on_host`].
    pub fn prepare(&mut self, context: Option<&Context>) -> Result<(), Unreadable> {
        match (&mut self.source, context) {
            (Source::Cuda(reader), Some(context)) => reader.prepare(context),
            _ => Ok(()),
        }
    }

    /// From here on frames in CUDA memory are copied to system memory to be looked at.
    ///
    /// # Errors
    /// GStreamer cannot convert the format.
    pub fn read_on_host(&mut self) -> Result<(), Unreadable> {
        if let Source::Cuda(_) = self.source {
            self.source = Source::Copied(host::Reader::new(&self.info)?);
        }
        Ok(())
    }

    /// Lends the picture in `buffer` to `look`. Of one in CUDA memory whatever `look` enqueues on the frame's stream is done, or
    /// in order with what the next user of the memory does, when this returns.
    pub fn look<T>(
        &mut self,
        buffer: &gst::BufferRef,
        look: impl FnOnce(&View<'_>) -> T,
    ) -> Result<T, Unreadable> {
        match &mut self.source {
            Source::Host(reader) => reader.look(buffer, |frame| look(&View::Host(frame))),
            Source::Copied(reader) => {
                // Mapping it is what copies it.
                count_to_host(Payload::Pixels, self.info.size());
                reader.look(buffer, |frame| look(&View::Host(frame)))
            }
            Source::Cuda(reader) => reader.look(buffer, look),
        }
    }
}

fn color_model(info: &VideoInfo) -> ColorModel {
    if info.is_rgb() {
        return ColorModel::Rgb;
    }
    if info.is_gray() {
        return ColorModel::Gray;
    }
    let colorimetry = info.colorimetry();
    let matrix = match colorimetry.matrix() {
        VideoColorMatrix::Bt709 | VideoColorMatrix::Smpte240m => Matrix::Bt709,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        _ => Matrix::Bt601,
    };
    let range = match colorimetry.range() {
        VideoColorRange::Range0_255 => Range::Full,
        _ => Range::Limited,
    };
    ColorModel::Yuv { matrix, range }
}
