use super::axis::Side;
use crate::{
    Rect,
    spec::{Fit, InputSpec},
};

/// A part of a frame, in whole pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    pub x: usize,
    pub y: usize,
    /// At least 1.
    pub width: usize,
    pub height: usize,
}

/// How a part of a frame comes to lie on a black canvas, and how the canvas is scaled to the network's input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Placement {
    pub region: Region,
    /// Where the region's corner lies on the canvas, in frame pixels.
    pub left: usize,
    pub top: usize,
    /// The canvas in frame pixels; need not be whole.
    pub canvas_width: f64,
    pub canvas_height: f64,
    pub out_width: usize,
    pub out_height: usize,
}

impl Region {
    /// The part inside a frame, moved inside if there is none.
    pub(super) fn within(self, width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let (x, y) = (self.x.min(width - 1), self.y.min(height - 1));
        Self { x, y, width: self.width.clamp(1, width - x), height: self.height.clamp(1, height - y) }
    }
}

impl Placement {
    /// A whole frame as `input` wants it. `part` (above 0, at most 1) makes the picture that much smaller: an input of
    /// fixed size then has a black border, one of free size shrinks.
    pub fn of_frame(width: u32, height: u32, input: &InputSpec, part: f32) -> Self {
        let region = Region { x: 0, y: 0, width: width as usize, height: height as usize };
        Self::of_region(region, input, part)
    }

    pub fn of_region(region: Region, input: &InputSpec, part: f32) -> Self {
        let (mut out_width, mut out_height) = (input.width as usize, input.height as usize);
        let mut region = region;
        if input.fit == Fit::CentreCrop {
            region = middle(region, out_width, out_height);
        }
        let (width, height) = (region.width as f64, region.height as f64);
        if matches!(input.fit, Fit::Stretch | Fit::CentreCrop) {
            return Self {
                region,
                left: 0,
                top: 0,
                canvas_width: width,
                canvas_height: height,
                out_width,
                out_height,
            };
        }
        // Frame pixels per output pixel: the side that fits worst decides.
        let step = (width / out_width as f64).max(height / out_height as f64) / f64::from(part);
        if let Some(multiple) = input.multiple {
            let needed = |side: f64| {
                ((side / step - ROUNDING).ceil().max(1.0) as usize).next_multiple_of(multiple as usize)
            };
            out_width = needed(width).min(out_width);
            out_height = needed(height).min(out_height);
        }
        let (canvas_width, canvas_height) = (whole(step * out_width as f64), whole(step * out_height as f64));
        // The larger half of the padding comes after the picture, as the original has it.
        let before = |canvas: f64, side: f64| {
            let padding = (canvas - side).max(0.0);
            if input.fit == Fit::PadCentre {
                (padding - (padding * 0.5 + 0.5).floor()).max(0.0) as usize
            } else {
                0
            }
        };
        let (left, top) = (before(canvas_width, width), before(canvas_height, height));
        Self { region, left, top, canvas_width, canvas_height, out_width, out_height }
    }

    /// Numbers in the tensor of one picture.
    pub fn values(&self) -> usize {
        3 * self.out_width * self.out_height
    }

    /// The same with the part of the region that a frame of this size has.
    pub(crate) fn within(&self, (width, height): (u32, u32)) -> Self {
        Self { region: self.region.within(width, height), ..*self }
    }

    pub(crate) fn columns(&self) -> Side {
        Side {
            start: self.region.x,
            length: self.region.width,
            offset: self.left,
            canvas: self.canvas_width,
            out: self.out_width,
        }
    }
    pub(crate) fn rows(&self) -> Side {
        Side {
            start: self.region.y,
            length: self.region.height,
            offset: self.top,
            canvas: self.canvas_height,
            out: self.out_height,
        }
    }

    /// A box in fractions of the input as frame pixels.
    pub fn to_frame(&self, fraction: &Rect) -> Rect {
        let on_canvas = fraction.scaled(self.canvas_width as f32, self.canvas_height as f32);
        Rect {
            x: on_canvas.x - self.left as f32 + self.region.x as f32,
            y: on_canvas.y - self.top as f32 + self.region.y as f32,
            ..on_canvas
        }
    }
}

/// What a product of a quotient may be off by.
const ROUNDING: f64 = 1e-6;

/// Takes the rounding error off a number that should be whole.
fn whole(value: f64) -> f64 {
    let nearest = value.round();
    if (value - nearest).abs() < ROUNDING { nearest } else { value }
}

/// The largest part of `region` with the shape `width` x `height`, out of its middle.
fn middle(region: Region, width: usize, height: usize) -> Region {
    let fitted = |side: usize, other: usize, wanted: usize, other_wanted: usize| {
        let exact = other as f64 * wanted as f64 / other_wanted.max(1) as f64;
        (exact.round() as usize).clamp(1, side)
    };
    let crop_width = fitted(region.width, region.height, width, height);
    let crop_height = fitted(region.height, region.width, height, width);
    Region {
        x: region.x + (region.width - crop_width) / 2,
        y: region.y + (region.height - crop_height) / 2,
        width: crop_width,
        height: crop_height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Channels, Layout, Resize};

    fn input(side: u32, multiple: Option<u32>, fit: Fit) -> InputSpec {
        InputSpec {
            name: None,
            width: side,
            height: side,
            multiple,
            layout: Layout::Nchw,
            channels: Channels::Rgb,
            mean: [0.0; 3],
            scale: [1.0; 3],
            fit,
            resize: Resize::Bilinear,
        }
    }

    #[test]
    fn a_wide_frame_shrinks_a_free_input_to_what_it_needs() {
        let placed = Placement::of_frame(1920, 1080, &input(640, Some(32), Fit::PadRightBottom), 1.0);
        assert_eq!((placed.out_width, placed.out_height), (640, 384));
        let half = Placement::of_frame(1920, 1080, &input(640, Some(32), Fit::PadRightBottom), 0.5);
        assert_eq!((half.out_width, half.out_height), (320, 192));
        assert_eq!(half.to_frame(&Rect::new(0.5, 0.0, 0.5, 0.0)), Rect::new(960.0, 0.0, 960.0, 0.0));
    }

    #[test]
    fn a_fixed_input_gets_a_border_in_the_second_pass() {
        let placed = Placement::of_frame(100, 50, &input(512, None, Fit::PadRightBottom), 0.5);
        assert_eq!((placed.out_width, placed.canvas_width, placed.canvas_height), (512, 200.0, 200.0));
    }

    #[test]
    fn a_picture_padded_in_the_middle_has_the_larger_half_after_it() {
        let placed = Placement::of_frame(5, 10, &input(112, None, Fit::PadCentre), 1.0);
        assert_eq!((placed.left, placed.top), (2, 0));
    }

    #[test]
    fn the_centre_crop_is_the_largest_square_of_the_middle() {
        let placed = Placement::of_frame(1280, 720, &input(224, None, Fit::CentreCrop), 1.0);
        assert_eq!(placed.region, Region { x: 280, y: 0, width: 720, height: 720 });
        let one = Placement::of_frame(1, 1, &input(224, None, Fit::CentreCrop), 1.0);
        assert_eq!(one.region, Region { x: 0, y: 0, width: 1, height: 1 });
    }
}
