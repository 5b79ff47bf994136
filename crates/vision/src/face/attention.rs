//! Whether and for how long a face looks at the screen.
//!
//! The terms are those of audience measurement at screens: an *opportunity to see* (OTS) is a person whose face is in the
//! zone; a *watcher* is one who has faced the screen for [`WATCHED`] in all; *dwell* is the time in view; *attention* is the
//! part of it spent facing the screen. The camera stands for the screen, so mount it at the screen's edge. It is the head that
//! is measured, not the eyes: who glances aside without moving the head still counts.

use super::HeadPose;
use std::{fmt, time::Duration};

/// Least attention of a watcher, altogether.
pub const WATCHED: Duration = Duration::from_millis(WATCHED_MS);
/// The same in milliseconds.
pub const WATCHED_MS: u64 = 500;

/// A head turned by less than this (degrees, yaw and pitch) begins to face the screen. A screen 1 m wide seen from 1.5 m away
/// covers 37 degrees, and people look at its edges with their heads turned half way.
const BEGINS: f32 = 25.0;
/// And ceases to above this; in between nothing changes, so that a head on the edge does not flicker.
const CEASES: f32 = 35.0;
/// Time between two detections counts as attention if it is no longer than this.
const LONGEST_GAP: Duration = Duration::from_millis(1000);

/// How long and how directly a face has looked at the screen, as of its last detection. What is not known is `None`: a
/// detector without landmarks cannot tell, and then `attentive` stays zero.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Attention {
    /// 0 (at a right angle or turned away) to 1 (straight at the camera): cos(yaw) cos(pitch).
    pub facing: Option<f32>,
    /// Degrees, positive to the viewer's right (the left of the picture).
    pub yaw: Option<f32>,
    /// Degrees, positive up.
    pub pitch: Option<f32>,
    /// Degrees, positive clockwise as the camera sees it.
    pub roll: Option<f32>,
    /// Since the face came into view.
    pub dwell: Duration,
    /// Time spent facing the screen: from a turn to less than 25 degrees until one to more than 35, both of yaw and pitch.
    pub attentive: Duration,
}

impl Attention {
    /// Whether this is somebody who has watched, not only passed.
    pub fn is_watcher(&self) -> bool {
        self.attentive >= WATCHED
    }
}

impl fmt::Debug for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attention(…)")
    }
}

/// Attention of one track, kept from detection to detection.
#[derive(Clone, Copy, Default)]
pub(super) struct Gaze {
    pose: Option<HeadPose>,
    facing: bool,
    attentive: Duration,
}

impl fmt::Debug for Gaze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gaze(…)")
    }
}

impl Gaze {
    /// A detection, `elapsed` after the last one. `pose`: `None` if it cannot be told.
    pub(super) fn seen(&mut self, pose: Option<HeadPose>, elapsed: Duration) {
        let faced = self.facing;
        self.pose = pose;
        self.facing = pose.is_some_and(|pose| {
            let turned = pose.yaw.abs().max(pose.pitch.abs());
            turned < if faced { CEASES } else { BEGINS }
        });
        if faced && self.facing && elapsed <= LONGEST_GAP {
            self.attentive += elapsed;
        }
    }

    pub(super) fn attention(&self, dwell: Duration) -> Attention {
        Attention {
            facing: self.pose.map(|pose| pose.facing()),
            yaw: self.pose.map(|pose| pose.yaw),
            pitch: self.pose.map(|pose| pose.pitch),
            roll: self.pose.map(|pose| pose.roll),
            dwell,
            attentive: self.attentive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(yaw: f32) -> Option<HeadPose> {
        Some(HeadPose { yaw, pitch: 0.0, roll: 0.0 })
    }

    #[test]
    fn attention_runs_while_the_head_is_turned_to_the_screen_and_does_not_flicker() {
        let mut gaze = Gaze::default();
        let step = Duration::from_millis(100);
        let mut after = |yaws: &[f32]| {
            yaws.iter().for_each(|yaw| gaze.seen(turned(*yaw), step));
            gaze.attention(Duration::ZERO).attentive.as_millis()
        };
        assert_eq!(after(&[30.0, 30.0]), 0, "not turned to it far enough to begin");
        assert_eq!(after(&[20.0, 10.0, 30.0, 34.0]), 300, "once begun, 30 degrees are still facing");
        assert_eq!(after(&[40.0, 30.0, 30.0]), 300, "and after ceasing they are not");
        assert_eq!(after(&[0.0, 0.0, 0.0]), 500);
        assert!(gaze.attention(Duration::ZERO).is_watcher());
    }

    #[test]
    fn time_in_which_nobody_was_seen_or_no_landmarks_were_found_is_not_attention() {
        let mut gaze = Gaze::default();
        gaze.seen(turned(0.0), Duration::ZERO);
        gaze.seen(turned(0.0), Duration::from_secs(2));
        gaze.seen(None, Duration::from_millis(100));
        gaze.seen(turned(0.0), Duration::from_millis(100));
        let attention = gaze.attention(Duration::from_secs(3));
        assert_eq!((attention.attentive, attention.dwell), (Duration::ZERO, Duration::from_secs(3)));
    }
}
