//! Whether and for how long a face looks at the screen.

use std::{fmt, time::Duration};

/// How long and how directly a face has looked at the screen, as of a moment. What is not known is `None`.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Attention {
    /// 0 (turned away) to 1 (straight at the camera).
    pub facing: Option<f32>,
    /// Degrees, positive to the viewer's right.
    pub yaw: Option<f32>,
    /// Degrees, positive up.
    pub pitch: Option<f32>,
    /// Degrees, positive clockwise as the camera sees it.
    pub roll: Option<f32>,
    /// Since the face came into view.
    pub dwell: Duration,
    /// Time spent facing the screen.
    pub attentive: Duration,
}

impl fmt::Debug for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attention(…)")
    }
}
