//! A picture file as a frame. Pixels are taken as they are stored: labels were drawn on those, whatever a camera noted on
//! which way is up.

use anyhow::{Context, Result};
use facialads_vision::Frame;
use std::path::Path;

pub struct Picture(image::RgbImage);

impl Picture {
    /// # Errors
    /// The file is missing or is no JPEG or PNG; the message does not name the file.
    pub fn open(file: &Path) -> Result<Self> {
        let reader = image::ImageReader::open(file).and_then(image::ImageReader::with_guessed_format);
        let picture = reader.context("cannot be read")?.decode().context("cannot be decoded")?;
        Ok(Self(picture.into_rgb8()))
    }

    pub fn frame(&self) -> Result<Frame<'_>> {
        Ok(Frame::rgb(self.0.width(), self.0.height(), self.0.as_raw())?)
    }
}
