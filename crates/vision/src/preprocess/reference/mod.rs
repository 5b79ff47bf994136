//! The plainest way from a frame to a tensor: what the fast paths are compared with, sample by sample. Slow, allocates,
//! and used by tests alone.

mod antialias;
mod bilinear;
mod write;

use super::{
    Placement, Upright,
    warp::{Planes, plain, turn},
};
use crate::{
    Frame,
    frame::{ColorModel, Conversion},
    geometry::Similarity,
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

/// As [`super::warp_into`]; `None` where that gives no picture.
pub fn warp(frame: &Frame, to_frame: &Similarity, input: &InputSpec) -> Option<Vec<f32>> {
    let upright = Upright::new((frame.width(), frame.height()), to_frame, input)?;
    let reduced = picture(frame, &upright.reduced, &plain(&upright.reduced));
    let mut out = vec![0.0; 3 * input.width as usize * input.height as usize];
    turn(&Planes::new(&reduced, &upright.reduced), &upright.to_reduced, input, &mut out);
    Some(out)
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
