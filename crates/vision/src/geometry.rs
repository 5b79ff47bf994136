//! Boxes, and how a face is turned upright.

mod similarity;

pub use similarity::Similarity;

/// An axis-parallel box. The unit is its owner's: pixels of a frame, or fractions of it (0..=1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl Rect {
    pub fn new(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x, y, width, height }
    }

    pub fn from_corners(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self { x: left, y: top, width: right - left, height: bottom - top }
    }

    pub fn right(&self) -> f32 {
        self.x + self.width
    }
    pub fn bottom(&self) -> f32 {
        self.y + self.height
    }
    pub fn centre(&self) -> (f32, f32) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
    pub fn contains(&self, x: f32, y: f32) -> bool {
        x >= self.x && y >= self.y && x <= self.right() && y <= self.bottom()
    }
    /// Never negative; an inverted box has no area.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }
    /// Whether every number is finite and the box has an area.
    pub fn is_proper(&self) -> bool {
        [self.x, self.y, self.width, self.height].iter().all(|v| v.is_finite()) && self.area() > 0.0
    }

    pub fn intersection_area(&self, other: &Self) -> f32 {
        let width = self.right().min(other.right()) - self.x.max(other.x);
        let height = self.bottom().min(other.bottom()) - self.y.max(other.y);
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union, 0..=1. The same in pixels and in fractions.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection_area(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    #[must_use]
    pub fn scaled(&self, x: f32, y: f32) -> Self {
        Self::new(self.x * x, self.y * y, self.width * x, self.height * y)
    }

    /// Grown on every side by `fraction` of its width or height (0.2: 20 % wider and higher in all, 10 % a side).
    #[must_use]
    pub fn grown(&self, fraction: f32) -> Self {
        let (dx, dy) = (self.width * fraction, self.height * fraction);
        Self::new(self.x - dx / 2.0, self.y - dy / 2.0, self.width + dx, self.height + dy)
    }

    /// The part inside `0..width` x `0..height`. Has no area if the box lies outside.
    #[must_use]
    pub fn clipped(&self, width: f32, height: f32) -> Self {
        let (left, top) = (self.x.clamp(0.0, width), self.y.clamp(0.0, height));
        Self::from_corners(left, top, self.right().clamp(left, width), self.bottom().clamp(top, height))
    }

    /// A box in fractions of a frame as whole pixels of it: (x, y, width, height), clipped, at least one pixel.
    pub fn to_pixels(&self, width: u32, height: u32) -> (u32, u32, u32, u32) {
        let pixels = self.scaled(width as f32, height as f32).clipped(width as f32, height as f32);
        // `as` saturates and takes NaN to 0, which is what is wanted of a box that came from a network.
        let x = (pixels.x.round() as u32).min(width.saturating_sub(1));
        let y = (pixels.y.round() as u32).min(height.saturating_sub(1));
        let right = (pixels.right().round() as u32).clamp(x + 1, width.max(x + 1));
        let bottom = (pixels.bottom().round() as u32).clamp(y + 1, height.max(y + 1));
        (x, y, right - x, bottom - y)
    }
}
