//! Which decoder a creative gets: for a programme in CUDA memory NVIDIA's on the same GPU if there is one, and never one
//! on another GPU, whose pictures could not be handed over.

/// GStreamer's plugin with NVIDIA's decoders.
const PLUGIN: &str = "nvcodec";

/// What the creative's decoder may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// Whatever ranks first, as ever: the programme is in system memory.
    Any,
    /// NVIDIA's on this GPU where there is one for the stream.
    Gpu(u32),
    /// None of NVIDIA's: they failed with this creative before, or the programme's GPU is not known.
    Cpu,
}

/// A video decoder, as the registry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoder<'a> {
    pub plugin: &'a str,
    pub name: &'a str,
}

impl Decoder<'_> {
    /// The GPU that it decodes on, if it is one of NVIDIA's. `nvh264dec` is the first GPU's, `nvh264device2dec` the third's.
    pub fn gpu(&self) -> Option<u32> {
        if self.plugin != PLUGIN {
            return None;
        }
        let codec = self.name.strip_prefix("nv")?.strip_suffix("dec")?;
        match codec.rsplit_once("device") {
            Some((_, number)) => number.parse().ok(),
            None => Some(0),
        }
    }
}

impl Preference {
    /// Whether a decoder may be used. `others`: all that could decode the stream, itself included.
    pub fn allows<'a>(self, decoder: Decoder<'_>, others: impl IntoIterator<Item = Decoder<'a>>) -> bool {
        match self {
            Self::Any => true,
            Self::Cpu => decoder.plugin != PLUGIN,
            Self::Gpu(wanted) if decoder.plugin == PLUGIN => decoder.gpu() == Some(wanted),
            // Its rank is above theirs in some versions of GStreamer and below in others.
            Self::Gpu(wanted) => !others.into_iter().any(|other| other.gpu() == Some(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBAV: Decoder<'_> = Decoder { plugin: "libav", name: "avdec_h264" };
    const FIRST: Decoder<'_> = Decoder { plugin: PLUGIN, name: "nvh264dec" };
    const THIRD: Decoder<'_> = Decoder { plugin: PLUGIN, name: "nvh264device2dec" };
    const ALL: [Decoder<'_>; 3] = [LIBAV, FIRST, THIRD];

    #[test]
    fn the_gpu_of_a_decoder_is_in_its_name() {
        let gpu = |name| Decoder { plugin: PLUGIN, name }.gpu();
        assert_eq!(gpu("nvh264dec"), Some(0));
        assert_eq!(gpu("nvh265sldec"), Some(0));
        assert_eq!(gpu("nvav1device1dec"), Some(1));
        assert_eq!(gpu("nvh264device12dec"), Some(12));
        assert_eq!(gpu("nvh264deviceXdec"), None);
        assert_eq!(gpu("nvh264enc"), None);
        assert_eq!(LIBAV.gpu(), None);
    }

    #[test]
    fn the_programmes_gpu_decodes_where_it_can() {
        let allowed = |gpu| ALL.map(|decoder| Preference::Gpu(gpu).allows(decoder, ALL));
        assert_eq!(allowed(0), [false, true, false]);
        assert_eq!(allowed(2), [false, false, true]);
        assert_eq!(allowed(1), [true, false, false], "no decoder there: the CPU, not another GPU");
        assert!(Preference::Gpu(0).allows(LIBAV, [LIBAV]), "nobody else knows the codec");
    }

    #[test]
    fn otherwise_nothing_changes_or_the_gpu_is_left_out() {
        assert_eq!(ALL.map(|decoder| Preference::Any.allows(decoder, ALL)), [true; 3]);
        assert_eq!(ALL.map(|decoder| Preference::Cpu.allows(decoder, ALL)), [true, false, false]);
    }
}
