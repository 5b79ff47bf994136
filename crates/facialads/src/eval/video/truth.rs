//! Who is where in a clip.

use crate::eval::metrics::mot::Seen;
use anyhow::{Context, Result};
use facialads_vision::Rect;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// People by frame, counted from 0; boxes in pixels.
#[derive(Default)]
pub struct Truth {
    pub frames: BTreeMap<usize, Vec<Seen>>,
    pub fps: Option<f64>,
    /// Boxes and lines that say something unreadable, each with where and why.
    pub bad: Vec<String>,
}

/// # Errors
/// The file cannot be read, or is neither JSON of this form nor MOTChallenge's text.
pub fn read(file: &Path) -> Result<Truth> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let truth = if text.trim_start().starts_with('{') { json(&text) } else { mot_challenge(&text) };
    truth.with_context(|| file.display().to_string())
}

#[derive(Deserialize)]
struct Json {
    #[serde(default)]
    fps: Option<f64>,
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct Person {
    id: i64,
    boxes: Vec<[f64; 5]>,
}

fn json(text: &str) -> Result<Truth> {
    let wanted =
        "expected {\"fps\": …, \"people\": [{\"id\": 1, \"boxes\": [[frame, x, y, width, height], …]}]}";
    let parsed: Json = serde_json::from_str(text).context(wanted)?;
    let mut truth = Truth { fps: parsed.fps, ..Truth::default() };
    for person in parsed.people {
        for [frame, x, y, width, height] in person.boxes {
            let bounds = [x, y, width, height];
            if !truth.add(frame, person.id, bounds, false) {
                truth.bad.push(format!("person {}: no box at frame {frame}: {bounds:?}", person.id));
            }
        }
    }
    Ok(truth)
}

/// `frame,id,x,y,width,height[,consider[,class[,visibility]]]`, frames counted from 1. What is not to be considered is
/// ignored.
fn mot_challenge(text: &str) -> Result<Truth> {
    let mut truth = Truth::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let numbers: Vec<f64> = line.split(',').map_while(|word| word.trim().parse().ok()).collect();
        let read = match numbers.as_slice() {
            [frame, id, x, y, width, height, rest @ ..] => {
                let ignored = rest.first().is_some_and(|consider| *consider == 0.0);
                // Ids are whole numbers; `as` saturates.
                truth.add(frame - 1.0, *id as i64, [*x, *y, *width, *height], ignored)
            }
            _ => false,
        };
        if !read {
            truth.bad.push(format!(
                "line {}: \"{}\" is no frame,id,x,y,width,height",
                index + 1,
                line.trim()
            ));
        }
    }
    anyhow::ensure!(!truth.frames.is_empty(), "no line reads frame,id,x,y,width,height");
    Ok(truth)
}

impl Truth {
    /// Whether it was a box at a frame.
    fn add(&mut self, frame: f64, id: i64, [x, y, width, height]: [f64; 4], ignored: bool) -> bool {
        let bounds = Rect::new(x as f32, y as f32, width as f32, height as f32);
        let is_frame = (0.0..1e9).contains(&frame) && frame.fract() == 0.0;
        if !is_frame || !bounds.is_proper() || width <= 0.0 {
            return false;
        }
        self.frames.entry(frame as usize).or_default().push(Seen { id, bounds, ignored });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_counts_frames_from_zero() {
        let truth =
            json(r#"{"fps":25,"people":[{"id":3,"boxes":[[0,1,2,30,40],[1,1,2,-3,4],[-1,0,0,5,5]]}]}"#)
                .unwrap();
        assert_eq!(truth.fps, Some(25.0));
        assert_eq!(
            truth.frames[&0],
            [Seen { id: 3, bounds: Rect::new(1.0, 2.0, 30.0, 40.0), ignored: false }]
        );
        assert_eq!((truth.frames.len(), truth.bad.len()), (1, 2));
        assert!(json("{\"people\":7}").is_err());
    }

    #[test]
    fn mot_challenge_counts_frames_from_one() {
        let truth = mot_challenge("1,4,10,20,30,40,1,1,0.9\n2,4,10,20,30,40,0,1,0.1\n\nrubbish\n").unwrap();
        assert!(!truth.frames[&0][0].ignored && truth.frames[&1][0].ignored);
        assert!(truth.bad[0].starts_with("line 4"), "{:?}", truth.bad);
        assert!(mot_challenge("file,age\n").is_err());
    }
}
