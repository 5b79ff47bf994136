//! Which class is told on the bus. Averages wander: a change is told once it is one.

use facialads_vision::subject::SubjectClass;

/// How much likelier than the present subject another must be.
const MARGIN: f32 = 0.05;
/// In how many readings in a row.
const READINGS: u32 = 2;

#[derive(Debug, Default)]
pub struct Leader {
    /// Id of the class told last; `None`: nothing is certain.
    told: Option<String>,
    challenger: Option<(Option<String>, u32)>,
}

impl Leader {
    /// Takes in a new reading, likeliest first. Whether the subject has changed.
    pub fn changes(&mut self, classes: &[SubjectClass]) -> bool {
        let top = classes.first();
        let id = top.map(|class| class.id.clone());
        if id == self.told {
            self.challenger = None;
            return false;
        }
        let present = classes.iter().find(|class| Some(&class.id) == self.told.as_ref());
        let close =
            present.zip(top).is_some_and(|(present, top)| top.confidence < present.confidence + MARGIN);
        if close {
            self.challenger = None;
            return false;
        }
        let seen = match self.challenger.take() {
            Some((challenger, seen)) if challenger == id => seen + 1,
            _ => 1,
        };
        // The first subject of a programme has nothing to flicker against.
        let first = self.told.is_none();
        if seen < READINGS && !first {
            self.challenger = Some((id, seen));
            return false;
        }
        self.told = id;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(classes: &[(&str, f32)]) -> Vec<SubjectClass> {
        classes
            .iter()
            .map(|(id, confidence)| SubjectClass {
                id: (*id).into(),
                name: (*id).to_uppercase(),
                confidence: *confidence,
            })
            .collect()
    }

    #[test]
    fn the_first_subject_is_told_at_once_and_only_once() {
        let mut leader = Leader::default();
        assert!(!leader.changes(&[]));
        assert!(leader.changes(&reading(&[("food", 0.5)])));
        assert!(!leader.changes(&reading(&[("food", 0.6)])));
    }

    #[test]
    fn another_subject_must_lead_clearly_and_twice() {
        let mut leader = Leader::default();
        leader.changes(&reading(&[("food", 0.5)]));
        assert!(!leader.changes(&reading(&[("cars", 0.52), ("food", 0.5)])), "too close");
        assert!(!leader.changes(&reading(&[("cars", 0.7), ("food", 0.2)])), "once");
        assert!(!leader.changes(&reading(&[("pets", 0.7)])), "somebody else");
        assert!(!leader.changes(&reading(&[("cars", 0.7)])));
        assert!(leader.changes(&reading(&[("cars", 0.7)])));
    }

    #[test]
    fn a_subject_that_fades_away_is_told_too() {
        let mut leader = Leader::default();
        leader.changes(&reading(&[("food", 0.5)]));
        assert!(!leader.changes(&[]));
        assert!(leader.changes(&[]));
        assert!(!leader.changes(&[]));
    }
}
