//! All figures of one clip.

use super::{
    against::Against,
    follow::{Followed, Settings},
    stability::Stability,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct VideoReport {
    pub frames: u64,
    pub fps: f64,
    pub inference_interval: u32,
    pub reclassify_interval: u32,
    pub adult_declared: bool,
    pub stability: Stability,
    pub against: Option<Against>,
    pub notes: Vec<String>,
}

impl VideoReport {
    pub fn new(followed: &Followed, settings: &Settings, against: Option<Against>) -> Self {
        Self {
            frames: followed.moments.len() as u64,
            fps: followed.fps,
            inference_interval: settings.inference_interval,
            reclassify_interval: settings.reclassify_interval,
            adult_declared: settings.adult_declared,
            stability: Stability::new(followed),
            against,
            notes: followed.notes.clone(),
        }
    }
}
