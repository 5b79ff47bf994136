//! Where things go on a frame of any size: sizes in proportion to it, nothing ever outside.

/// A rectangle of pixels inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Sizes that follow from the frame's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    pub width: u32,
    pub height: u32,
    /// Height of the text's em square in pixels.
    pub font: f64,
    /// Thickness of a box in pixels.
    pub line: u32,
    /// Space around text in pixels.
    pub pad: u32,
}

/// Below this a letter cannot be read.
const SMALLEST_FONT: f64 = 10.0;
/// Lines of text that fit into the frame's height.
const LINES: f64 = 36.0;

impl Layout {
    pub fn new(width: u32, height: u32, scale: f64) -> Self {
        // A tall, narrow frame has its text by its width.
        let size = f64::from(height).min(f64::from(width) * 0.75);
        let font = (size / LINES).max(SMALLEST_FONT) * scale;
        let of_font = |part: f64| (font * part).round().max(1.0) as u32;
        Self { width, height, font, line: of_font(0.12), pad: of_font(0.3) }
    }

    /// Width that text may take; `None` on a frame that is too small for any.
    pub fn text_width(&self) -> Option<u32> {
        let room = self.width.saturating_sub(2 * self.pad);
        let fits = f64::from(room) >= 4.0 * self.font && f64::from(self.height) >= 2.0 * self.font;
        fits.then_some(room)
    }

    /// The part of a box that lies on the frame.
    pub fn clip(&self, x: u32, y: u32, width: u32, height: u32) -> Option<Area> {
        let right = x.saturating_add(width).min(self.width);
        let bottom = y.saturating_add(height).min(self.height);
        (x < right && y < bottom).then(|| Area { x, y, width: right - x, height: bottom - y })
    }

    /// The four lines of a box's outline; one area where it is too small to be hollow.
    pub fn outline(&self, area: Area) -> Vec<Area> {
        let line = self.line;
        let Area { x, y, width, height } = area;
        if width <= 2 * line || height <= 2 * line {
            return vec![area];
        }
        let (right, bottom, inside) = (x + width - line, y + height - line, height - 2 * line);
        vec![
            Area { height: line, ..area },
            Area { y: bottom, height: line, ..area },
            Area { x, y: y + line, width: line, height: inside },
            Area { x: right, y: y + line, width: line, height: inside },
        ]
    }

    /// Where a label of `size` goes for a face: above its box, else below it, else on its upper edge; never over one of
    /// `taken` if there is another place.
    pub fn label(&self, face: Area, size: (u32, u32), taken: &[Area]) -> Option<Area> {
        let (width, height) = size;
        if width > self.width || height > self.height {
            return None;
        }
        let at = |y: u32| Area {
            x: face.x.min(self.width - width),
            y: y.min(self.height - height),
            width,
            height,
        };
        let below = face.y + face.height;
        let above = face.y.checked_sub(height).map(at);
        let below = (below + height <= self.height).then(|| at(below));
        let places = [above, below, Some(at(face.y))];
        let free = |place: &Area| !taken.iter().any(|other| overlap(place, other));
        places.iter().flatten().find(|place| free(place)).or(places.iter().flatten().next()).copied()
    }

    /// A strip of `size` at the upper or lower edge.
    pub fn strip(&self, size: (u32, u32), lower: bool) -> Option<Area> {
        let (width, height) = size;
        let y = if lower { self.height.checked_sub(height)? } else { 0 };
        (width <= self.width && height <= self.height).then_some(Area { x: 0, y, width, height })
    }
}

fn overlap(a: &Area, b: &Area) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_legible_from_320x240_to_4k_and_left_out_below() {
        assert_eq!(Layout::new(320, 240, 1.0).font, 10.0);
        assert_eq!(Layout::new(1920, 1080, 1.0).font, 30.0);
        assert_eq!(Layout::new(3840, 2160, 1.0).font, 60.0);
        assert_eq!(Layout::new(1080, 1920, 1.0).font, 22.5);
        assert_eq!(Layout::new(3840, 2160, 0.5).font, 30.0);
        assert!(Layout::new(320, 240, 1.0).text_width().is_some());
        assert!(Layout::new(1, 1, 1.0).text_width().is_none());
        assert!(Layout::new(30, 2000, 1.0).text_width().is_none());
    }

    #[test]
    fn nothing_leaves_the_frame_wherever_the_face_is() {
        for (width, height) in [(1, 1), (2, 200), (64, 48), (320, 240), (7680, 4320)] {
            let layout = Layout::new(width, height, 1.0);
            for (x, y, w, h) in [
                (0, 0, 5, 5),
                (width - 1, height - 1, 50, 50),
                (0, 0, u32::MAX, u32::MAX),
                (width / 2, 0, 10, height),
            ] {
                let Some(area) = layout.clip(x, y, w, h) else { panic!("{x},{y} is on the frame") };
                let mut all = layout.outline(area);
                all.extend(layout.label(area, (40, 12), &[]));
                for part in all {
                    assert!(part.width > 0 && part.height > 0);
                    assert!(part.x + part.width <= width && part.y + part.height <= height, "{part:?}");
                }
            }
            assert_eq!(layout.clip(width, 0, 10, 10), None);
            assert_eq!(layout.clip(u32::MAX, u32::MAX, u32::MAX, u32::MAX), None);
            assert_eq!(layout.clip(0, 0, 0, 10), None);
        }
    }

    #[test]
    fn labels_of_two_faces_do_not_cover_each_other_while_there_is_room() {
        let layout = Layout::new(320, 240, 1.0);
        let face = Area { x: 100, y: 100, width: 40, height: 40 };
        let first = layout.label(face, (80, 20), &[]).unwrap();
        let second = layout.label(face, (80, 20), &[first]).unwrap();
        assert_eq!((first.y, second.y), (80, 140));
    }
}
