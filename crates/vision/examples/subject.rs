//! What the subject network says of pictures, and what the map makes of it: for whoever edits `models/subject-map.toml`.
//!
//! `cargo run -p facialads-vision --example subject -- FRAME.png…` takes the pictures as frames one second apart.

use facialads_vision::{Frame, SubjectClassifier, SubjectOptions};
use std::{error::Error, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let map = std::env::var_os("SUBJECT_MAP").map(Into::into);
    let classifier = SubjectClassifier::new(&SubjectOptions { map, ..SubjectOptions::default() })?;
    for (second, file) in (0..).zip(std::env::args().skip(1)) {
        let image = image::open(&file)?.into_rgb8();
        let input = classifier.shrink(&Frame::rgb(image.width(), image.height(), image.as_raw())?);
        let now = Duration::from_secs(second);
        classifier.classify(&input, now)?;
        let labels: Vec<String> =
            classifier.labels(&input, 4)?.into_iter().map(|(label, p)| format!("{label} {p:.2}")).collect();
        let reading = classifier.reading(now);
        let classes: Vec<String> =
            reading.classes.iter().map(|c| format!("{} {:.2}", c.name, c.confidence)).collect();
        println!("{file}: {} => {} {:?}", labels.join(", "), classes.join(", "), reading.safety);
    }
    Ok(())
}
