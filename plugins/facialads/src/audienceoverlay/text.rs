//! Text on a translucent dark plate, rendered once and kept while it stays the same.

use super::layout::Layout;
use std::collections::HashMap;

/// A colour as red, green, blue, each 0..=1.
pub type Color = [f64; 3];

/// Frames after which a text that was not drawn is forgotten.
const FORGET_AFTER: u64 = 50;

#[derive(Debug, thiserror::Error)]
pub enum Unpaintable {
    #[error("text cannot be drawn: {0}")]
    Cairo(#[from] cairo::Error),
    #[error("a drawing cannot be read back: {0}")]
    Borrow(#[from] cairo::BorrowError),
    #[error("a drawing does not fit a buffer: {0}")]
    Buffer(#[from] gst::glib::BoolError),
}

/// A picture with transparency: pre-multiplied BGRA (ARGB in the order of a big-endian word).
#[derive(Clone, Debug)]
pub struct Picture {
    pub buffer: gst::Buffer,
    pub width: u32,
    pub height: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    text: String,
    /// Colour of the bar at the left, in 8 bits; `None`: no bar.
    bar: Option<[u8; 3]>,
    /// The plate is as wide as the frame.
    full: bool,
}

#[derive(Default)]
pub struct Texts {
    layout: Option<(Layout, String)>,
    known: HashMap<Key, (Picture, u64)>,
    frame: u64,
    /// How many texts were rendered, for the test of the cache.
    #[cfg(test)]
    rendered: u64,
}

impl Texts {
    /// To be called for each frame. Everything is rendered anew when the frame's size or the font changes.
    pub fn next_frame(&mut self, layout: &Layout, font: &str) {
        self.frame += 1;
        if self.layout.as_ref().is_none_or(|(l, f)| l != layout || f != font) {
            self.known.clear();
            self.layout = Some((*layout, font.to_owned()));
        }
        let oldest = self.frame.saturating_sub(FORGET_AFTER);
        self.known.retain(|_, (_, used)| *used >= oldest);
    }

    /// Labels say what was learned about people: with consent they go.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    #[cfg(test)]
    fn rendered(&self) -> u64 {
        self.rendered
    }

    /// A plate with text; `None` where the frame is too small for one.
    pub fn plate(
        &mut self,
        text: &str,
        bar: Option<Color>,
        full: bool,
    ) -> Result<Option<Picture>, Unpaintable> {
        let Some((layout, font)) = &self.layout else { return Ok(None) };
        let Some(room) = layout.text_width() else { return Ok(None) };
        let key =
            Key { text: text.to_owned(), bar: bar.map(|c| c.map(|part| (part * 255.0).round() as u8)), full };
        if let Some((picture, used)) = self.known.get_mut(&key) {
            *used = self.frame;
            return Ok(Some(picture.clone()));
        }
        let picture = render(text, bar, full, layout, font, room)?;
        #[cfg(test)]
        {
            self.rendered += 1;
        }
        self.known.insert(key, (picture.clone(), self.frame));
        Ok(Some(picture))
    }
}

fn render(
    text: &str,
    bar: Option<Color>,
    full: bool,
    layout: &Layout,
    font: &str,
    room: u32,
) -> Result<Picture, Unpaintable> {
    let to_pango = |pixels: f64| (pixels * f64::from(pango::SCALE)) as i32;
    let bar_width = if bar.is_some() { layout.pad } else { 0 };
    let words = {
        let scratch = cairo::ImageSurface::create(cairo::Format::ARgb32, 1, 1)?;
        let words = pangocairo::functions::create_layout(&cairo::Context::new(&scratch)?);
        let mut description = pango::FontDescription::from_string(font);
        description.set_absolute_size(layout.font * f64::from(pango::SCALE));
        words.set_font_description(Some(&description));
        words.set_width(to_pango(f64::from(room.saturating_sub(bar_width).max(1))));
        words.set_wrap(pango::WrapMode::WordChar);
        words.set_ellipsize(pango::EllipsizeMode::End);
        // Each paragraph may take two lines, and all together no more than a third of the frame.
        let lines = text.lines().count().max(1) as f64 * 2.0;
        let most = f64::from(layout.height) / 3.0 / (layout.font * 1.3);
        words.set_height(to_pango(layout.font * 1.3 * lines.min(most.max(1.0))));
        // Pango takes text as C does: it ends at a NUL.
        words.set_text(&text.replace('\0', "\u{fffd}"));
        words
    };
    let (_, extents) = words.pixel_extents();
    let inner = u32::try_from(extents.width()).unwrap_or(0).min(room);
    let width = if full { layout.width } else { (inner + bar_width + 2 * layout.pad).min(layout.width) };
    let height =
        (u32::try_from(extents.height()).unwrap_or(0) + 2 * (layout.pad / 2)).clamp(1, layout.height);
    let mut surface = cairo::ImageSurface::create(
        cairo::Format::ARgb32,
        i32::try_from(width).unwrap_or(i32::MAX),
        i32::try_from(height).unwrap_or(i32::MAX),
    )?;
    {
        let context = cairo::Context::new(&surface)?;
        context.set_source_rgba(0.0, 0.0, 0.0, 0.65);
        context.paint()?;
        if let Some([red, green, blue]) = bar {
            context.set_source_rgb(red, green, blue);
            context.rectangle(0.0, 0.0, f64::from(bar_width), f64::from(height));
            context.fill()?;
        }
        context.set_source_rgb(1.0, 1.0, 1.0);
        context.move_to(f64::from(bar_width + layout.pad), f64::from(layout.pad / 2));
        pangocairo::functions::update_layout(&context, &words);
        pangocairo::functions::show_layout(&context, &words);
    }
    surface.flush();
    let stride = usize::try_from(surface.stride()).unwrap_or(0);
    let row = width as usize * 4;
    let pixels = surface.data()?;
    let mut tight = Vec::with_capacity(row * height as usize);
    for line in pixels.chunks(stride.max(1)).take(height as usize) {
        tight.extend_from_slice(line.get(..row).unwrap_or(line));
    }
    drop(pixels);
    picture(tight, width, height)
}

/// An area of one colour.
pub fn solid(color: Color, width: u32, height: u32) -> Result<Picture, Unpaintable> {
    let [red, green, blue] = color.map(|part| (part * 255.0).round() as u8);
    let pixel = u32::from_be_bytes([255, red, green, blue]).to_ne_bytes();
    picture(pixel.repeat(width as usize * height as usize), width, height)
}

#[cfg(target_endian = "little")]
const ARGB_WORD: gst_video::VideoFormat = gst_video::VideoFormat::Bgra;
#[cfg(target_endian = "big")]
const ARGB_WORD: gst_video::VideoFormat = gst_video::VideoFormat::Argb;

fn picture(pixels: Vec<u8>, width: u32, height: u32) -> Result<Picture, Unpaintable> {
    let mut buffer = gst::Buffer::from_mut_slice(pixels);
    if let Some(inner) = buffer.get_mut() {
        gst_video::VideoMeta::add(inner, gst_video::VideoFrameFlags::empty(), ARGB_WORD, width, height)?;
    }
    Ok(Picture { buffer, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(width: u32, height: u32) -> Texts {
        gst::init().unwrap();
        let mut texts = Texts::default();
        texts.next_frame(&Layout::new(width, height, 1.0), "Sans");
        texts
    }

    #[test]
    fn the_same_text_is_rendered_once() {
        let mut texts = texts(320, 240);
        for _ in 0..10 {
            texts.plate("#1", None, false).unwrap().unwrap();
            texts.next_frame(&Layout::new(320, 240, 1.0), "Sans");
        }
        assert_eq!(texts.rendered(), 1);
        texts.plate("#2", None, false).unwrap().unwrap();
        assert_eq!(texts.rendered(), 2);
        texts.next_frame(&Layout::new(640, 480, 1.0), "Sans");
        texts.plate("#1", None, false).unwrap().unwrap();
        assert_eq!(texts.rendered(), 3, "a larger frame has larger letters");
    }

    #[test]
    fn what_is_not_drawn_any_more_and_what_consent_no_longer_covers_is_forgotten() {
        let mut texts = texts(320, 240);
        texts.plate("#1 female", None, false).unwrap();
        for _ in 0..=FORGET_AFTER + 1 {
            texts.next_frame(&Layout::new(320, 240, 1.0), "Sans");
        }
        assert!(texts.known.is_empty());
        texts.plate("#1 female", None, false).unwrap();
        texts.forget();
        assert!(texts.known.is_empty());
    }

    #[test]
    fn a_plate_of_any_text_fits_its_frame() {
        let long = "word ".repeat(500);
        let wide = "W".repeat(3000);
        for (width, height) in [(64, 48), (320, 240), (240, 320), (3840, 2160)] {
            let mut texts = texts(width, height);
            for text in ["", "a", "a\nb\nc", &long, &wide, "日本語 العربية \u{1f600}\0"] {
                for full in [false, true] {
                    if let Some(picture) = texts.plate(text, Some([1.0, 0.0, 0.0]), full).unwrap() {
                        assert!(
                            picture.width <= width && picture.height <= height,
                            "{text:.20} in {width}x{height}"
                        );
                        assert!(picture.height <= height * 2 / 3, "{text:.20} covers {}", picture.height);
                    }
                }
            }
        }
        assert!(texts(1, 1).plate("a", None, false).unwrap().is_none());
    }
}
