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
    /// `fill`: one byte over and over, the smallest kernel there is.
    FILL = "fill.cu";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_in_the_folder_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cuda/kernels");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".cu"))
            .collect();
        files.sort();
        let mut listed: Vec<&str> = SOURCES.iter().map(|source| source.file).collect();
        listed.sort_unstable();
        assert_eq!(files, listed);
    }

    #[test]
    fn every_source_has_kernels_and_no_name_is_used_twice() {
        let mut names: Vec<&str> = Vec::new();
        for source in SOURCES {
            let own: Vec<&str> = kernel_names(source.text).collect();
            assert!(!own.is_empty(), "{}", source.file);
            names.extend(own);
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "the stand-in driver knows kernels by their names alone");
    }
}
