//! The kernels' sources: the one place that lists them.

/// A file of kernels, compiled as one program.
#[derive(Debug)]
pub struct Source {
    /// `picture.cu`
    pub file: &'static str,
    pub text: &'static str,
}

macro_rules! sources {
    ($($(#[$about:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$about])* pub static $name: Source =
            Source { file: $file, text: include_str!(concat!("kernels/", $file)) };)*
        /// All of them.
        pub static SOURCES: &[&Source] = &[$(&$name),*];
    };
}

sources! {
    /// Checks that kernels can be compiled, loaded and run, see [`crate::cuda::self_test`].
    SELF_TEST = "self_test.cu";
    /// Whole frames to networks' inputs, see [`crate::cuda::picture`].
    PICTURE = "picture.cu";
    /// Faces to networks' inputs, see [`crate::cuda::crop`].
    CROP = "crop.cu";
    /// How clearly pictures show their faces, see [`crate::cuda::quality`].
    QUALITY = "quality.cu";
    /// YuNet's outputs to candidates.
    YUNET = "yunet.cu";
    /// A single-shot detector's outputs to candidates.
    SSD = "ssd.cu";
    /// Non-maximum suppression.
    NMS = "nms.cu";
    /// Obscuring regions of a frame, drawing on it.
    PAINT = "paint.cu";
}

/// What the sources include, by name. NVRTC gets no folder to look in.
pub static HEADERS: &[(&str, &str)] = &[
    ("common.cuh", include_str!("kernels/common.cuh")),
    ("decode.cuh", include_str!("kernels/decode.cuh")),
    ("frame.cuh", include_str!("kernels/frame.cuh")),
    ("scale.cuh", include_str!("kernels/scale.cuh")),
];

/// The names of the kernels in a source: what follows `KERNEL(` at the start of a line.
pub(super) fn kernel_names(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("KERNEL(")?.split([',', ')']).next()).map(str::trim)
}
