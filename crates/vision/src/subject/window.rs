//! The last few seconds of a programme.

use std::{collections::VecDeque, time::Duration};

/// More frames than this are not kept, however long the window: older ones say little that newer ones do not.
const MOST: usize = 1024;

/// Sums of groups per frame, newest last.
pub(super) struct Window {
    length: Duration,
    frames: VecDeque<(Duration, Vec<f32>)>,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, frames: VecDeque::new() }
    }

    pub(super) fn add(&mut self, at: Duration, values: Vec<f32>) {
        // Later ones than this are left from before a jump back.
        self.frames.retain(|(held, _)| *held < at && at - *held <= self.length);
        self.frames.push_back((at, values));
        if self.frames.len() > MOST {
            self.frames.pop_front();
        }
    }

    /// The mean of each value over the frames in the window that ends at `now`, and how many there are.
    pub(super) fn mean(&self, now: Duration) -> (Vec<f32>, usize) {
        let counted = self.frames.iter().filter(|(at, _)| *at <= now && now - *at <= self.length);
        let mut sums: Vec<f32> = Vec::new();
        let mut count = 0;
        for (_, values) in counted {
            sums.resize(values.len(), 0.0);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            count += 1;
        }
        sums.iter_mut().for_each(|sum| *sum /= count as f32);
        (sums, count)
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_the_last_seconds_only() {
        let at = Duration::from_secs;
        let mut window = Window::new(at(3));
        window.add(at(1), vec![1.0]);
        window.add(at(3), vec![0.0]);
        assert_eq!(window.mean(at(4)), (vec![0.5], 2));
        assert_eq!(window.mean(at(5)), (vec![0.0], 1));
        assert_eq!(window.mean(at(10)), (vec![], 0));
        window.add(at(0), vec![0.25]);
        assert_eq!(window.mean(at(0)), (vec![0.25], 1), "time jumped back");
    }
}
