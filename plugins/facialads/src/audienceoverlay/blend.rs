//! Blending a drawing into a frame in system memory, by GStreamer.

use super::{
    paint::{Content, Piece},
    text::solid,
};
use gst_video::{
    VideoFormat, VideoInfo, VideoOverlayComposition, VideoOverlayFormatFlags, VideoOverlayRectangle,
};

/// # Errors
/// What to write into the log.
pub fn blend(buffer: &mut gst::BufferRef, info: &VideoInfo, pieces: &[Piece]) -> Result<(), String> {
    if pieces.is_empty() {
        return Ok(());
    }
    let rectangles = pieces.iter().map(rectangle).collect::<Result<Vec<_>, _>>()?;
    let composition = VideoOverlayComposition::new(&rectangles).map_err(|error| error.to_string())?;
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info)
        .map_err(|_| "the buffer does not hold the whole picture".to_owned())?;
    composition.blend(&mut frame).map_err(|error| error.to_string())
}

fn rectangle(piece: &Piece) -> Result<VideoOverlayRectangle, String> {
    let place = piece.place;
    let picture = match &piece.content {
        Content::Picture(picture) => picture.clone(),
        Content::Solid(color) => {
            solid(*color, place.width, place.height).map_err(|error| error.to_string())?
        }
    };
    let whole = |at: u32| i32::try_from(at).map_err(|error| error.to_string());
    Ok(VideoOverlayRectangle::new_raw(
        &picture.buffer,
        whole(place.x)?,
        whole(place.y)?,
        picture.width,
        picture.height,
        VideoOverlayFormatFlags::PREMULTIPLIED_ALPHA,
    ))
}

/// Whether GStreamer blends right into a format. All of 1.22 but a palette, and the two whose alpha has two bits (a test
/// compares each with RGB).
pub fn can_be_drawn_on(info: &VideoInfo) -> bool {
    !info.format_info().has_palette()
        && !matches!(info.format(), VideoFormat::Rgb10a2Le | VideoFormat::Bgr10a2Le)
}
