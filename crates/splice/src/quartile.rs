/// How much of a creative has left, as the industry (VAST) counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quartile {
    /// The first frame.
    Start,
    First,
    Midpoint,
    Third,
    /// The last frame.
    Complete,
}

impl Quartile {
    pub const ALL: [Self; 5] = [Self::Start, Self::First, Self::Midpoint, Self::Third, Self::Complete];

    /// The event's name in VAST.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::First => "firstQuartile",
            Self::Midpoint => "midpoint",
            Self::Third => "thirdQuartile",
            Self::Complete => "complete",
        }
    }

    /// Whether it is reached once `shown` of `planned` frames have left.
    fn reached(self, shown: u64, planned: u64) -> bool {
        let quarters = u128::from(self as u8);
        shown > 0 && u128::from(shown) * 4 >= u128::from(planned) * quarters
    }
}

/// Which quartiles were announced: each once, in order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quartiles {
    announced: usize,
}

impl Quartiles {
    /// Those that became due with `shown` of `planned` frames.
    pub fn advance(&mut self, shown: u64, planned: u64) -> impl Iterator<Item = Quartile> + use<> {
        let due = Quartile::ALL.iter().filter(|q| q.reached(shown, planned)).count();
        let from = self.announced.min(due);
        self.announced = self.announced.max(due);
        Quartile::ALL.into_iter().take(due).skip(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_once_and_in_order() {
        for planned in [1, 2, 3, 4, 7, 150] {
            let mut quartiles = Quartiles::default();
            let all: Vec<_> = (0..=planned).flat_map(|shown| quartiles.advance(shown, planned)).collect();
            assert_eq!(all, Quartile::ALL);
        }
    }

    #[test]
    fn a_quarter_of_150_frames_is_in_frame_38() {
        let mut quartiles = Quartiles::default();
        assert_eq!(quartiles.advance(37, 150).collect::<Vec<_>>(), [Quartile::Start]);
        assert_eq!(quartiles.advance(38, 150).collect::<Vec<_>>(), [Quartile::First]);
        assert_eq!(quartiles.advance(149, 150).collect::<Vec<_>>(), [Quartile::Midpoint, Quartile::Third]);
    }
}
