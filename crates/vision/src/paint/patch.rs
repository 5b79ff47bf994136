//! How a region is made unrecognisable.

use crate::{Error, Result};

/// Outline of what is painted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// The whole region.
    Rectangle,
    /// The ellipse that touches the region's sides.
    #[default]
    Ellipse,
}

/// What takes the place of a region's pixels.
///
/// **Strength.** Blur and pixelation both throw the region away but for the means of a grid of blocks, at most `blocks` along its
/// longer side: whatever is done to the picture afterwards, no more than `blocks` x `blocks` colours are known of it. People
/// stop recognising faces below some 16 blocks across a face (Harmon & Julesz 1973: recognition is still good at 16; Bachmann
/// 1991: it falls off between 18 and 15); networks that were trained on pictures treated in the same way tell some people of a
/// small group apart with fewer (McPherson, Shokri & Shmatikov 2016). The default of 8 is meant for people's eyes; where
/// nobody may ever be told from anybody, use [`Effect::Fill`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Smooth: the blocks' means are interpolated (quadratic B-spline), about as three box blurs of a block's width.
    Blur {
        /// Blocks along the region's longer side, 1 to 64.
        blocks: u32,
    },
    /// Blocks of one colour, the mean of what was there.
    Pixelate {
        /// As of [`Effect::Blur`].
        blocks: u32,
    },
    /// One colour: red, green, blue.
    Fill([u8; 3]),
}

impl Default for Effect {
    fn default() -> Self {
        Self::Blur { blocks: DEFAULT_BLOCKS }
    }
}

/// Half of what people need to recognise a face.
const DEFAULT_BLOCKS: u32 = 8;
/// Beyond this nothing is hidden.
const MOST_BLOCKS: u32 = 64;
/// A face is seldom larger than its box by more than this.
const MOST_MARGIN: f32 = 4.0;

/// How regions are made unrecognisable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Obscuring {
    pub effect: Effect,
    pub shape: Shape,
    /// What is added on each side, as a part of the region's width and height, 0 to 4. Detectors' boxes end at chin and
    /// forehead. With the default of 0.25 an ellipse contains the whole box, and hair and ears.
    pub margin: f32,
    /// How far inside the grown region's edge the effect fades out, as a part of half its shorter side, 0 to 1. The picture
    /// shows through there: choose the margin so that the face lies inside.
    pub feather: f32,
}

impl Default for Obscuring {
    fn default() -> Self {
        Self { effect: Effect::default(), shape: Shape::default(), margin: 0.25, feather: 0.1 }
    }
}

impl Obscuring {
    /// # Errors
    /// [`Error::Painting`]: a number out of its range.
    pub(crate) fn check(&self) -> Result<()> {
        let fail = |problem: String| Err(Error::Painting { problem });
        if !(0.0..=MOST_MARGIN).contains(&self.margin) {
            return fail(format!("a margin of {}; it must be 0 to {MOST_MARGIN}", self.margin));
        }
        if !(0.0..=1.0).contains(&self.feather) {
            return fail(format!("a feather of {}; it must be 0 to 1", self.feather));
        }
        match self.effect {
            Effect::Blur { blocks } | Effect::Pixelate { blocks } if !(1..=MOST_BLOCKS).contains(&blocks) => {
                fail(format!("{blocks} blocks; there must be 1 to {MOST_BLOCKS}"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn code(&self) -> EffectCode {
        match self.effect {
            Effect::Blur { .. } => EffectCode::Blur,
            Effect::Pixelate { .. } => EffectCode::Pixelate,
            Effect::Fill(_) => EffectCode::Fill,
        }
    }

    /// Blocks along a region's longer side; a filled one needs no means.
    pub(crate) fn blocks(&self) -> u32 {
        match self.effect {
            Effect::Blur { blocks } | Effect::Pixelate { blocks } => blocks,
            Effect::Fill(_) => 1,
        }
    }

    /// The colour that fills.
    pub(crate) fn fill(&self) -> [u8; 3] {
        if let Effect::Fill(rgb) = self.effect { rgb } else { [0; 3] }
    }
}

/// [`Effect`] as kernels know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum EffectCode {
    Blur = 0,
    Pixelate = 1,
    Fill = 2,
}
