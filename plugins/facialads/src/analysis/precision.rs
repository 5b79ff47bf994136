//! How exactly networks calculate.

use facialads_vision::runtime;
use gst::glib;

/// The property `precision`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFacialAdsPrecision")]
pub enum Precision {
    #[default]
    #[enum_value(name = "32 bits: the same results with every runtime", nick = "f32")]
    F32,
    #[enum_value(
        name = "What the device is fastest with (bfloat16 or 16 bits where it has them); slightly other results",
        nick = "fast"
    )]
    Fast,
}

impl From<Precision> for runtime::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Fast => Self::Fast,
        }
    }
}
