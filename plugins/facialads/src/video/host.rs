//! Frames in system memory.
//!
//! Every format whose components are whole bytes is read where it lies. The rest (10 bits and more, packed bits,
//! tiles, palettes) goes through GStreamer's converter into an RGB picture of our own; the buffer that flows on is
//! only ever read.

use super::{Unreadable, color_model};
use facialads_vision::{ColorModel, Component, Frame};
use gst_video::{VideoFormat, VideoFormatFlags, VideoInfo, prelude::*};

/// Reads the buffers of one stream; made anew when the caps change.
pub struct Reader {
    info: VideoInfo,
    color: ColorModel,
    /// `None` where the format is read directly.
    converter: Option<Converter>,
}

struct Converter {
    converter: gst_video::VideoConverter,
    out: VideoInfo,
    /// Kept from frame to frame; nobody else ever sees it.
    picture: gst::Buffer,
}

impl Reader {
    pub fn new(info: &VideoInfo) -> Result<Self, Unreadable> {
        let converter = if is_direct(info) { None } else { Some(Converter::new(info)?) };
        Ok(Self { info: info.clone(), color: color_model(info), converter })
    }

    /// Lends the picture in `buffer` to `look`.
    pub fn look<T>(
        &mut self,
        buffer: &gst::BufferRef,
        look: impl FnOnce(&Frame<'_>) -> T,
    ) -> Result<T, Unreadable> {
        let broken = || Unreadable::Buffer(self.info.format(), self.info.width(), self.info.height());
        let picture =
            gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &self.info).map_err(|_| broken())?;
        let stands_upright = picture.plane_stride().iter().take(picture.n_planes() as usize).all(|s| *s > 0);
        match &mut self.converter {
            None if stands_upright => Ok(look(&borrow(&picture, self.color)?)),
            // Bottom-up pictures exist in theory (a negative stride in GstVideoMeta): the converter follows them.
            converter => {
                let converter = match converter {
                    Some(converter) => converter,
                    None => converter.insert(Converter::new(&self.info)?),
                };
                let rgb = converter.convert(&picture).map_err(|_| broken())?;
                Ok(look(&borrow(&rgb.as_video_frame_ref(), ColorModel::Rgb)?))
            }
        }
    }
}

impl Converter {
    fn new(info: &VideoInfo) -> Result<Self, Unreadable> {
        let fail = || Unreadable::NoConverter(info.format());
        let out = VideoInfo::builder(VideoFormat::Rgb, info.width(), info.height())
            .fps(info.fps())
            .interlace_mode(info.interlace_mode())
            .build()
            .map_err(|_| fail())?;
        let converter = gst_video::VideoConverter::new(info, &out, None).map_err(|_| fail())?;
        let picture = gst::Buffer::with_size(out.size()).map_err(|_| fail())?;
        Ok(Self { converter, out, picture })
    }

    fn convert(
        &mut self,
        picture: &gst_video::VideoFrameRef<&gst::BufferRef>,
    ) -> Result<gst_video::VideoFrame<gst_video::video_frame::Readable>, gst::glib::BoolError> {
        {
            let mut rgb =
                gst_video::VideoFrameRef::from_buffer_ref_writable(self.picture.make_mut(), &self.out)?;
            self.converter.frame_ref(picture, &mut rgb);
        }
        gst_video::VideoFrame::from_buffer_readable(self.picture.clone(), &self.out)
            .map_err(|_| gst::glib::bool_error!("the converted picture cannot be mapped"))
    }
}

/// Whether each component is made of whole bytes at a regular distance.
fn is_direct(info: &VideoInfo) -> bool {
    let format = info.format_info();
    let flags = format.flags();
    let components = format.n_components() as usize;
    let odd = VideoFormatFlags::TILED | VideoFormatFlags::COMPLEX | VideoFormatFlags::PALETTE;
    let known = flags.intersects(VideoFormatFlags::RGB | VideoFormatFlags::YUV | VideoFormatFlags::GRAY);
    let whole_bytes =
        |n: usize| format.depth()[n] == 8 && format.shift()[n] == 0 && format.pixel_stride()[n] > 0;
    known && !flags.intersects(odd) && (0..components.min(3)).all(whole_bytes) && components != 2
}

/// The planes as they are mapped.
fn borrow<'a>(
    picture: &'a gst_video::VideoFrameRef<&gst::BufferRef>,
    color: ColorModel,
) -> Result<Frame<'a>, Unreadable> {
    let broken = || Unreadable::Buffer(picture.format(), picture.width(), picture.height());
    let format = picture.format_info();
    let component = |n: u8| -> Result<Component<'a>, Unreadable> {
        let index = usize::from(n);
        let plane = format.plane()[index];
        let data = picture.plane_data(plane).map_err(|_| broken())?;
        Ok(Component {
            data: data.get(format.poffset()[index] as usize..).ok_or_else(broken)?,
            row_stride: usize::try_from(picture.plane_stride()[plane as usize]).map_err(|_| broken())?,
            pixel_stride: usize::try_from(format.pixel_stride()[index]).map_err(|_| broken())?,
            shift_x: u8::try_from(format.w_sub()[index]).map_err(|_| broken())?,
            shift_y: u8::try_from(format.h_sub()[index]).map_err(|_| broken())?,
        })
    };
    let count = if color == ColorModel::Gray { 1 } else { 3 };
    let components = (0..count).map(component).collect::<Result<Vec<_>, _>>()?;
    Ok(Frame::new(picture.width(), picture.height(), color, &components)?)
}
