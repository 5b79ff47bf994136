//! The plainest way from a frame to a tensor: what the fast paths are compared with, sample by sample. Slow, allocates,
//! and used by tests alone.

mod antialias;
mod bilinear;
mod write;

use super::Placement;
use crate::{
    Frame,
    frame::{ColorModel, Conversion},
    spec::{InputSpec, Resize},
};

/// As [`super::picture`].
pub fn picture(frame: &Frame, placement: &Placement, input: &InputSpec) -> Vec<f32> {
    let placement = &placement.within((frame.width(), frame.height()));
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
