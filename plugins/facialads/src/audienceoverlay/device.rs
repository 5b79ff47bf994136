//! Blending a drawing into a frame in CUDA memory, on the GPU. Text and lines go there, nothing of the frame comes back.

use super::paint::{Content, Piece};
use crate::video::{CudaReader, Unreadable};
use facialads_gstcuda::Context;
use facialads_vision::{
    cuda::{
        CudaFrame, Event, Stream,
        paint::{self, DeviceBitmap},
    },
    paint::{Item, Order, Paint},
};
use gst_video::VideoInfo;

/// Frames after which a bitmap that was not drawn is forgotten.
const FORGET_AFTER: u64 = 50;

/// As cairo has its words on a little-endian machine; CUDA runs on no other.
const CAIRO: Order = Order::Bgra;

/// Frames in CUDA memory, and the bitmaps that were uploaded for them.
pub struct DeviceBlend {
    reader: CudaReader,
    uploaded: Vec<Uploaded>,
    frame: u64,
}

/// A plate of text on the device. The same buffer of the host is uploaded once.
struct Uploaded {
    /// Holding it keeps its address from being used for another.
    source: gst::Buffer,
    bitmap: DeviceBitmap,
    /// When it is there, for other streams than the one it was uploaded on; `None`: it is.
    ready: Option<Event>,
    used: u64,
}

impl DeviceBlend {
    /// # Errors
    /// No CUDA, or a format that no kernel writes.
    pub fn new(info: &VideoInfo) -> Result<Self, Unreadable> {
        Ok(Self { reader: CudaReader::new(info)?, uploaded: Vec::new(), frame: 0 })
    }

    /// Compiles the kernels; to be called before the first frame.
    ///
    /// # Errors
    /// They cannot be compiled, or the GPU fails.
    pub fn prepare(&mut self, context: &Context) -> Result<(), Unreadable> {
        self.reader.prepare_to_paint(context)
    }

    /// Labels say what was learned about people: with consent they go. Their memory is wiped.
    pub fn forget(&mut self) {
        self.uploaded.clear();
    }

    /// # Errors
    /// What is wrong with the buffer or the GPU; the frame may show a part of the drawing then.
    pub fn blend(&mut self, buffer: &mut gst::BufferRef, pieces: &[Piece]) -> Result<(), Unreadable> {
        self.frame += 1;
        let oldest = self.frame.saturating_sub(FORGET_AFTER);
        self.uploaded.retain(|bitmap| bitmap.used >= oldest);
        if pieces.is_empty() {
            return Ok(());
        }
        let Self { reader, uploaded, frame: now } = self;
        let drawn = reader.paint(buffer, |frame| {
            let items = pieces.iter().map(|piece| item(piece, frame, uploaded, *now));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            paint::draw(frame, &items)
        })?;
        Ok(drawn?)
    }
}

fn item(
    piece: &Piece,
    frame: &CudaFrame<'_>,
    uploaded: &mut Vec<Uploaded>,
    now: u64,
) -> facialads_vision::Result<Item<DeviceBitmap>> {
    let paint = match &piece.content {
        Content::Solid(color) => {
            let [red, green, blue] = color.map(|part| (part * 255.0).round() as u8);
            Paint::Solid([red, green, blue, 255])
        }
        Content::Picture(picture) => Paint::Bitmap(bitmap(&picture.buffer, piece, frame, uploaded, now)?),
    };
    let place = piece.place;
    // Inside the frame, whose sides are far smaller.
    Ok(Item { x: place.x as i32, y: place.y as i32, width: place.width, height: place.height, paint })
}

/// The device's copy of a plate, which `frame`'s stream may use.
fn bitmap(
    source: &gst::Buffer,
    piece: &Piece,
    frame: &CudaFrame<'_>,
    uploaded: &mut Vec<Uploaded>,
    now: u64,
) -> facialads_vision::Result<DeviceBitmap> {
    uploaded.retain(|known| known.bitmap.gpu().is_same_context(frame.gpu()));
    if let Some(known) = uploaded.iter_mut().find(|known| known.source.as_ptr() == source.as_ptr()) {
        known.used = now;
        known.wait_in(frame.stream())?;
        return Ok(known.bitmap.clone());
    }
    // A buffer of plain memory that is ours: it can always be read.
    let pixels = source.map_readable();
    let pixels = pixels.as_ref().map_or(&[][..], |map| map.as_slice());
    let (width, height) = (piece.place.width, piece.place.height);
    let bitmap = DeviceBitmap::upload(frame.stream(), pixels, width, height, CAIRO)?;
    let ready = Some(frame.stream().record()?);
    uploaded.push(Uploaded { source: source.clone(), bitmap: bitmap.clone(), ready, used: now });
    Ok(bitmap)
}

impl Uploaded {
    fn wait_in(&mut self, stream: &Stream) -> facialads_vision::Result<()> {
        match &self.ready {
            Some(ready) if ready.is_done()? => self.ready = None,
            Some(ready) => stream.wait(ready)?,
            None => {}
        }
        Ok(())
    }
}
