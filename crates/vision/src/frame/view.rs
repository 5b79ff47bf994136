use super::Frame;

/// A frame where it lies: in the computer's memory. Borrowed like the frame itself, and as cheap to copy.
///
/// Frames in a GPU's memory join it with the kernels that read them; match with a last arm.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum View<'a> {
    /// In the computer's memory.
    Host(&'a Frame<'a>),
}

impl View<'_> {
    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        match self {
            Self::Host(frame) => (frame.width(), frame.height()),
        }
    }
}

impl<'a> From<&'a Frame<'a>> for View<'a> {
    fn from(frame: &'a Frame<'a>) -> Self {
        Self::Host(frame)
    }
}
