//! Painting on pictures: making what is in a region unrecognisable, and drawing a small picture or a line onto a frame.
//!
//! Everything here works on the picture where it lies, in its own format, and is the reference of the CUDA kernels
//! ([`crate::cuda::paint`]), which do the same arithmetic and give the same bytes. Geometry is decided once
//! (`plan`), for both.
//!
//! | | what happens |
//! |---|---|
//! | [`obscure`] | blurs, pixelates or fills regions |
//! | [`draw`] | lays bitmaps with transparency, areas of one colour and outlines over the frame |
//!
//! **Cells.** A picture with subsampled chroma is treated in cells: the pixels that share a chroma sample (2 x 2 in 4:2:0).
//! A region takes whole cells, so that chroma is painted exactly where luma is, and no pixel outside it takes on another
//! colour.

mod canvas;
mod color;
mod draw;
mod obscure;
mod patch;
mod plan;
mod region;

pub use canvas::{Canvas, CanvasComponent};
pub use draw::{Bitmap, Item, Order, Paint, draw, outline};
pub use obscure::obscure;
pub use patch::{Effect, Obscuring, Shape};
pub(crate) use {
    canvas::Sampling,
    color::{from_rgb, of_color},
    draw::premultiplied,
    patch::EffectCode,
    plan::plan,
    region::{MOST_REGIONS, Region},
};
