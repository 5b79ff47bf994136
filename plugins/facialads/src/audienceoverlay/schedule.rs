//! What is on air when: adinsert speaks in running time, and in a file its programme may be ahead of the camera's clip.

use facialads_meta::event::Running;
use gst::ClockTime;
use std::collections::VecDeque;

/// More than this ahead is not remembered: an hour of breaks, a few states each.
const MOST: usize = 256;

/// States in the order in which adinsert told them.
#[derive(Default)]
pub struct Schedule(VecDeque<Running>);

impl Schedule {
    pub fn add(&mut self, running: Running) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(running);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What holds at a running time; a time that is not known is now. Earlier states are forgotten.
    pub fn at(&mut self, time: Option<ClockTime>) -> Option<Running> {
        let begun = |running: &Running| match (running.since, time) {
            (Some(since), Some(time)) => since <= time,
            _ => true,
        };
        while self.0.get(1).is_some_and(begun) {
            self.0.pop_front();
        }
        self.0.front().filter(|running| begun(running)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(creative: Option<&str>, since: Option<u64>) -> Running {
        Running {
            creative: creative.map(str::to_owned),
            since: since.map(ClockTime::from_seconds),
            ..Running::default()
        }
    }

    #[test]
    fn each_state_holds_from_its_own_time_on() {
        let mut schedule = Schedule::default();
        schedule.add(running(None, Some(8)));
        schedule.add(running(Some("a"), Some(10)));
        schedule.add(running(None, Some(15)));
        let mut on_air =
            |second: u64| schedule.at(Some(ClockTime::from_seconds(second))).map(|running| running.creative);
        assert_eq!(on_air(7), None);
        assert_eq!(on_air(9), Some(None));
        assert_eq!(on_air(10), Some(Some("a".to_owned())));
        assert_eq!(on_air(14), Some(Some("a".to_owned())));
        assert_eq!(on_air(20), Some(None));
    }

    #[test]
    fn a_state_without_a_time_holds_at_once_and_a_frame_without_one_shows_the_newest() {
        let mut schedule = Schedule::default();
        schedule.add(running(Some("a"), None));
        assert!(schedule.at(Some(ClockTime::ZERO)).is_some());
        schedule.add(running(Some("b"), Some(1000)));
        assert_eq!(schedule.at(None).and_then(|running| running.creative).as_deref(), Some("b"));
    }
}
