//! Puts a frame's drawing together.

use super::{
    layout::{Area, Layout},
    settings::Settings,
    text::{Color, Picture, Texts, Unpaintable},
    words::{self, Shown},
};
use facialads_consent::{Demographics, Emotion, Measurement, Stamp, WallClock, permit};
use facialads_meta::{Audience, Face, event::Running};

/// Everything that there is to draw on one frame.
pub struct Scene<'a> {
    pub faces: &'a [Face],
    pub stamp: Option<&'a Stamp>,
    pub audience: Option<&'a Audience>,
    pub running: Option<&'a Running>,
    /// Whether the stamp's epoch still holds.
    pub valid: bool,
    pub now: WallClock,
}

/// A part of a drawing.
#[derive(Clone)]
pub struct Piece {
    pub place: Area,
    pub content: Content,
}

#[derive(Clone)]
pub enum Content {
    Solid(Color),
    /// As large as its place.
    Picture(Picture),
}

/// The pieces to blend, later ones over earlier ones. Empty: the frame stays as it is.
pub fn compose(
    scene: &Scene<'_>,
    settings: &Settings,
    layout: &Layout,
    texts: &mut Texts,
) -> Result<Vec<Piece>, Unpaintable> {
    let mut drawing = Drawing::default();
    texts.next_frame(layout, &settings.font);
    if settings.running
        && let Some(running) = scene.running
        && let Some(plate) = texts.plate(&words::running(running), None, true)?
    {
        drawing.take(layout.strip((plate.width, plate.height), false), &plate);
    }
    let has_status = scene.stamp.is_some() || scene.audience.is_some() || !scene.faces.is_empty();
    if settings.status && has_status {
        let words = words::status(scene.stamp, scene.valid, scene.audience, scene.now);
        if let Some(plate) = texts.plate(&words, None, true)? {
            drawing.take(layout.strip((plate.width, plate.height), true), &plate);
        }
    }
    draw_faces(scene, settings, layout, texts, &mut drawing)?;
    Ok(drawing.pieces)
}

#[derive(Default)]
struct Drawing {
    pieces: Vec<Piece>,
    /// Where text is already.
    taken: Vec<Area>,
}

impl Drawing {
    fn take(&mut self, place: Option<Area>, plate: &Picture) {
        if let Some(place) = place {
            self.taken.push(place);
            self.pieces.push(Piece { place, content: Content::Picture(plate.clone()) });
        }
    }
}

fn draw_faces(
    scene: &Scene<'_>,
    settings: &Settings,
    layout: &Layout,
    texts: &mut Texts,
    drawing: &mut Drawing,
) -> Result<(), Unpaintable> {
    let count = scene.faces.len();
    let stamp = scene.stamp.filter(|_| scene.valid);
    if !settings.boxes || permit::<Measurement>(stamp, count, scene.now).is_err() {
        return Ok(());
    }
    let shown = Shown {
        demographics: settings.attributes && permit::<Demographics>(stamp, count, scene.now).is_ok(),
        emotion: settings.attributes && permit::<Emotion>(stamp, count, scene.now).is_ok(),
    };
    let visible: Vec<_> = scene
        .faces
        .iter()
        .filter_map(|face| Some((face, layout.clip(face.x, face.y, face.width, face.height)?)))
        .collect();
    for (face, area) in &visible {
        for part in layout.outline(*area) {
            drawing.pieces.push(Piece { place: part, content: Content::Solid(track_color(face.id)) });
        }
    }
    // Over all boxes, so that no line crosses a word.
    for (face, area) in visible {
        let Some(plate) = texts.plate(&words::face(face, shown), Some(track_color(face.id)), false)? else {
            continue;
        };
        let place = layout.label(area, (plate.width, plate.height), &drawing.taken);
        drawing.take(place, &plate);
    }
    Ok(())
}

/// A bright colour for a track, the same as long as it lives and far from its neighbours'.
pub fn track_color(id: i32) -> Color {
    // Steps of the golden ratio spread hues as evenly as any number of tracks allows.
    let hue = (f64::from(id) * 0.618_033_988_749_895).rem_euclid(1.0) * 6.0;
    [5.0, 3.0, 1.0].map(|shift| {
        let k = (shift + hue) % 6.0;
        1.0 - 0.8 * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}
