use crate::{
    Frame,
    frame::{ColorModel, Component, black},
    preprocess::{Placement, axis::Triangle},
};

/// Calls `sink` with each output row of samples, top to bottom.
pub(super) fn scale(frame: &Frame, placed: &Placement, sink: &mut impl FnMut(usize, &mut [Vec<f32>; 3])) {
    let columns = Triangle::new(placed.columns());
    let rows = Triangle::new(placed.rows());
    let black = black(frame.color());
    let used = if frame.color() == ColorModel::Gray { 1 } else { 3 };
    let mut planes: Vec<Plane> = (0..used)
        .map(|i| Plane { component: frame.component(i), black: black[i], kept: Vec::new() })
        .collect();
    let mut out: [Vec<f32>; 3] = std::array::from_fn(|_| vec![0.0; placed.out_width]);
    for (y, (first, weights, padding)) in rows.taps.iter().enumerate() {
        for (plane, out) in planes.iter_mut().zip(&mut out) {
            plane.output_row(&columns, *first, weights, *padding, out);
        }
        sink(y, &mut out);
    }
}

struct Plane<'a> {
    component: &'a Component<'a>,
    black: f32,
    /// Rows scaled across that the next output row may need too, by row number among the component's.
    kept: Vec<(usize, Vec<f32>)>,
}

impl Plane<'_> {
    fn output_row(
        &mut self,
        columns: &Triangle,
        first: usize,
        weights: &[f32],
        padding: f32,
        out: &mut [f32],
    ) {
        let number = |y: usize| y >> self.component.shift_y;
        let lowest = number(first);
        let mut spare: Vec<Vec<f32>> =
            self.kept.extract_if(.., |(row, _)| *row < lowest).map(|(_, row)| row).collect();
        out.fill(self.black * padding);
        for (y, weight) in (first..).zip(weights) {
            let row = number(y);
            if self.kept.last().is_none_or(|(last, _)| *last < row) {
                let mut scaled = spare.pop().unwrap_or_else(|| vec![0.0; out.len()]);
                across(self.component, self.black, columns, y, &mut scaled);
                self.kept.push((row, scaled));
            }
            let Some((_, scaled)) = self.kept.iter().find(|(held, _)| *held == row) else { continue };
            for (out, sample) in out.iter_mut().zip(scaled) {
                *out += sample * weight;
            }
        }
    }
}

fn across(component: &Component, black: f32, columns: &Triangle, y: usize, out: &mut [f32]) {
    let source = component.row(y);
    for (out, (first, weights, padding)) in out.iter_mut().zip(&columns.taps) {
        *out = black * padding;
        for (x, weight) in (*first..).zip(weights) {
            *out += f32::from(source[(x >> component.shift_x) * component.pixel_stride]) * weight;
        }
    }
}
