//! Frame to tensor: one pass over the pixels that the network will see, straight from the frame's own layout.
//!
//! Colour is converted once per output pixel: interpolation and the YUV matrix are both linear, so their order does not
//! matter, and the output is small where the frame is large.

mod antialias;
mod axis;
mod bilinear;
mod placement;
mod write;

pub use placement::{Placement, Region};

use crate::{
    Frame,
    frame::{ColorModel, Conversion},
    spec::{InputSpec, Resize},
};

/// The picture as `input` describes it: 3 x `placement.out_height` x `placement.out_width` values, normalised. A region
/// that reaches beyond the frame is clipped.
pub fn picture(frame: &Frame, placement: &Placement, input: &InputSpec) -> Vec<f32> {
    let region = placement.region.within(frame.width(), frame.height());
    let placement = &Placement { region, ..*placement };
    let mut writer = write::Writer::new(placement, input);
    let to_rgb = to_rgb(frame.color());
    let mut sink = |y: usize, rows: &mut [Vec<f32>; 3]| {
        to_rgb(rows);
        writer.row(y, rows);
    };
    match input.resize {
        Resize::Bilinear => bilinear::scale(frame, placement, true, &mut sink),
        Resize::BilinearLegacy => bilinear::scale(frame, placement, false, &mut sink),
        Resize::Antialias => antialias::scale(frame, placement, &mut sink),
    }
    writer.into_values()
}

/// Turns one row of samples into R, G, B, 0..=255.
fn to_rgb(color: ColorModel) -> impl Fn(&mut [Vec<f32>; 3]) {
    let conversion = match color {
        ColorModel::Yuv { matrix, range } => Some(Conversion::new(matrix, range)),
        ColorModel::Rgb | ColorModel::Gray => None,
    };
    move |[a, b, c]| match &conversion {
        Some(conversion) => conversion.apply(a, b, c),
        None if color == ColorModel::Gray => {
            b.copy_from_slice(a);
            c.copy_from_slice(a);
        }
        None => {}
    }
}
