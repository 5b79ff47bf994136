//! What the user sets.

pub const DEFAULT_FONT: &str = "Sans";

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub boxes: bool,
    pub attributes: bool,
    pub status: bool,
    pub running: bool,
    /// A Pango font description without a size.
    pub font: String,
    pub scale: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            boxes: true,
            attributes: true,
            status: true,
            running: true,
            font: DEFAULT_FONT.to_owned(),
            scale: 1.0,
        }
    }
}
