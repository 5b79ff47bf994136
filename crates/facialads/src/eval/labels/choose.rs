//! Which of the labelled faces are looked at.

use super::Labelled;
use crate::eval::metrics::random::Random;
use std::path::Path;

/// By the last number in the file's name, so that constants can be chosen on one half and reported on the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Parity {
    Even,
    Odd,
    #[default]
    All,
}

impl Parity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Odd => "odd",
            Self::All => "all",
        }
    }
}

pub struct Choice {
    pub only: Parity,
    /// As many at most, drawn at random.
    pub limit: Option<usize>,
    pub seed: u64,
}

impl Choice {
    /// The chosen ones in their order, and how many were left out.
    pub fn of(&self, faces: Vec<Labelled>) -> (Vec<Labelled>, usize) {
        let all = faces.len();
        let mut chosen: Vec<Labelled> = faces.into_iter().filter(|face| self.takes(&face.file)).collect();
        if let Some(limit) = self.limit.filter(|limit| *limit < chosen.len()) {
            let mut order: Vec<usize> = (0..chosen.len()).collect();
            Random::new(self.seed).shuffle(&mut order);
            order.truncate(limit);
            order.sort_unstable();
            chosen = order.into_iter().map(|index| chosen[index].clone()).collect();
        }
        let left_out = all - chosen.len();
        (chosen, left_out)
    }

    fn takes(&self, file: &Path) -> bool {
        match self.only {
            Parity::All => true,
            Parity::Even => is_odd(file) == Some(false),
            Parity::Odd => is_odd(file) == Some(true),
        }
    }
}

/// Whether the last number in the name is odd; nothing without a number.
fn is_odd(file: &Path) -> Option<bool> {
    let name = file.file_name()?.to_string_lossy();
    // The digits of an ending such as .jp2 are no number of the picture.
    let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
    let last = stem.bytes().rev().find(u8::is_ascii_digit)?;
    Some((last - b'0') % 2 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(file: &str) -> Labelled {
        Labelled { file: file.into(), age: None, gender: None, group: None, emotion: None }
    }
    fn chosen(only: Parity, limit: Option<usize>, seed: u64) -> (Vec<String>, usize) {
        let files = ["a/1.jpg", "b2/20.jpg", "3_x.jp2", "none.jpg", "15_0_2.jpg.chip.jpg"];
        let (faces, left_out) = Choice { only, limit, seed }.of(files.map(face).to_vec());
        (faces.iter().map(|f| f.file.display().to_string()).collect(), left_out)
    }

    #[test]
    fn the_last_number_in_the_name_decides() {
        assert_eq!(chosen(Parity::Odd, None, 0), (vec!["a/1.jpg".into(), "3_x.jp2".into()], 3));
        assert_eq!(
            chosen(Parity::Even, None, 0),
            (vec!["b2/20.jpg".into(), "15_0_2.jpg.chip.jpg".into()], 3)
        );
        assert_eq!(chosen(Parity::All, None, 0).1, 0);
    }

    #[test]
    fn a_limit_draws_at_random_but_repeatably_and_keeps_the_order() {
        let (faces, left_out) = chosen(Parity::All, Some(3), 1);
        assert_eq!((faces.len(), left_out), (3, 2));
        assert_eq!(chosen(Parity::All, Some(3), 1).0, faces);
        assert!((2..30).any(|seed| chosen(Parity::All, Some(3), seed).0 != faces));
        assert_eq!(chosen(Parity::All, Some(99), 1).0.len(), 5);
    }
}
