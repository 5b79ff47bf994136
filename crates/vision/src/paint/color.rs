//! From RGB to a frame's components.

use crate::{ColorModel, Matrix, frame::Range};

/// Rows of R, G, B and a constant: component = r·R + g·G + b·B + c·(A / 255), all 0..=255, R, G, B multiplied by A (ITU-R
/// BT.601, BT.709, BT.2020; grey as luma of BT.601 in full range).
pub(crate) fn from_rgb(color: ColorModel) -> [[f32; 4]; 3] {
    let (matrix, range) = match color {
        ColorModel::Rgb => return [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        ColorModel::Yuv { matrix, range } => (matrix, range),
        ColorModel::Gray => (Matrix::Bt601, Range::Full),
    };
    let (kr, kb) = match matrix {
        Matrix::Bt601 => (0.299_f32, 0.114_f32),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
    };
    let kg = 1.0 - kr - kb;
    let (offset, luma, chroma) = match range {
        Range::Full => (0.0, 1.0, 1.0),
        Range::Limited => (16.0, 219.0 / 255.0, 224.0 / 255.0),
    };
    let (u, v) = (chroma / (2.0 * (1.0 - kb)), chroma / (2.0 * (1.0 - kr)));
    [
        [kr * luma, kg * luma, kb * luma, offset],
        [-kr * u, -kg * u, (1.0 - kb) * u, 128.0],
        [(1.0 - kr) * v, -kg * v, -kb * v, 128.0],
    ]
}

/// An opaque colour as components.
pub(crate) fn of_color(color: ColorModel, rgb: [u8; 3]) -> [f32; 3] {
    let [red, green, blue] = rgb.map(f32::from);
    from_rgb(color).map(|[r, g, b, constant]| r * red + g * green + b * blue + constant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Conversion;

    #[test]
    fn colours_come_back_through_every_matrix_and_range() {
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
            for range in [Range::Full, Range::Limited] {
                for rgb in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [12, 200, 99]]
                {
                    let [y, u, v] = of_color(ColorModel::Yuv { matrix, range }, rgb);
                    let (r, g, b) = Conversion::new(matrix, range).pixel(y, u, v);
                    for (found, wanted) in [r, g, b].into_iter().zip(rgb) {
                        assert!((found - f32::from(wanted)).abs() < 0.01, "{matrix:?} {range:?} {rgb:?}");
                    }
                }
            }
        }
    }
}
