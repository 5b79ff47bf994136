//! From a frame's colour to RGB.

/// Coefficients between YUV and RGB (ITU-R BT.601, BT.709, BT.2020 with non-constant luminance).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matrix {
    Bt601,
    Bt709,
    Bt2020,
}

/// Limited: luma 16..=235, chroma 16..=240, as broadcast. Full: 0..=255, as JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    Full,
    Limited,
}

/// What a frame's components mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColorModel {
    Rgb,
    Yuv { matrix: Matrix, range: Range },
    Gray,
}

impl ColorModel {
    pub(crate) fn components(self) -> usize {
        if self == Self::Gray { 1 } else { 3 }
    }
}

/// The sample values of black, per component.
pub(crate) fn black(color: ColorModel) -> [f32; 3] {
    match color {
        ColorModel::Rgb | ColorModel::Gray => [0.0; 3],
        ColorModel::Yuv { range: Range::Full, .. } => [0.0, 128.0, 128.0],
        ColorModel::Yuv { range: Range::Limited, .. } => [16.0, 128.0, 128.0],
    }
}

/// YUV to RGB as R = Y' + rv·V', G = Y' + gu·U' + gv·V', B = Y' + bu·U', all 0..=255.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversion {
    luma_offset: f32,
    luma_gain: f32,
    rv: f32,
    gu: f32,
    gv: f32,
    bu: f32,
}

impl Conversion {
    pub(crate) fn new(matrix: Matrix, range: Range) -> Self {
        let (kr, kb) = match matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let kg = 1.0 - kr - kb;
        let (luma_offset, luma_gain, chroma_gain) = match range {
            Range::Full => (0.0, 1.0, 1.0),
            Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
        };
        Self {
            luma_offset,
            luma_gain,
            rv: chroma_gain * 2.0 * (1.0 - kr),
            gu: chroma_gain * -2.0 * kb * (1.0 - kb) / kg,
            gv: chroma_gain * -2.0 * kr * (1.0 - kr) / kg,
            bu: chroma_gain * 2.0 * (1.0 - kb),
        }
    }

    /// Luma offset and gain, then the shares of V in R, of U and V in G, and of U in B.
    pub(crate) fn coefficients(&self) -> [f32; 6] {
        [self.luma_offset, self.luma_gain, self.rv, self.gu, self.gv, self.bu]
    }

    /// Y, U, V to R, G, B.
    #[inline(always)]
    pub(crate) fn pixel(&self, y: f32, u: f32, v: f32) -> (f32, f32, f32) {
        let y = (y - self.luma_offset) * self.luma_gain;
        let (u, v) = (u - 128.0, v - 128.0);
        (
            (y + self.rv * v).clamp(0.0, 255.0),
            (y + self.gu * u + self.gv * v).clamp(0.0, 255.0),
            (y + self.bu * u).clamp(0.0, 255.0),
        )
    }

    /// Converts rows of equal length in place: `a`, `b`, `c` hold Y, U, V and then R, G, B.
    pub(crate) fn apply(&self, a: &mut [f32], b: &mut [f32], c: &mut [f32]) {
        for ((a, b), c) in a.iter_mut().zip(b.iter_mut()).zip(c.iter_mut()) {
            (*a, *b, *c) = self.pixel(*a, *b, *c);
        }
    }
}
