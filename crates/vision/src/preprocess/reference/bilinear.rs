use crate::{
    Frame,
    frame::{ColorModel, Component, black},
    preprocess::{Placement, axis::TwoTap},
};

/// Calls `sink` with each output row of samples, top to bottom.
pub(super) fn scale(
    frame: &Frame,
    placed: &Placement,
    half_pixel: bool,
    sink: &mut impl FnMut(usize, &mut [Vec<f32>; 3]),
) {
    let columns = TwoTap::new(placed.columns(), half_pixel);
    let rows = TwoTap::new(placed.rows(), half_pixel);
    let black = black(frame.color());
    let used = if frame.color() == ColorModel::Gray { 1 } else { 3 };
    let mut planes: Vec<Plane> =
        (0..used).map(|i| Plane::new(frame.component(i), &columns, black[i], placed.out_width)).collect();
    let mut out: [Vec<f32>; 3] = std::array::from_fn(|_| vec![0.0; placed.out_width]);
    for y in 0..placed.out_height {
        for (plane, out) in planes.iter_mut().zip(&mut out) {
            plane.output_row(&columns, &rows, y, out);
        }
        sink(y, &mut out);
    }
}

/// One component on its way through the two directions.
struct Plane<'a> {
    component: &'a Component<'a>,
    /// Byte offsets in a row for each output sample.
    low: Vec<usize>,
    high: Vec<usize>,
    black: f32,
    /// The two rows last scaled across, with their row number among the component's.
    cached: [(Option<usize>, Vec<f32>); 2],
}

impl<'a> Plane<'a> {
    fn new(component: &'a Component<'a>, columns: &TwoTap, black: f32, width: usize) -> Self {
        let offsets = |indices: &[usize]| {
            indices.iter().map(|x| (x >> component.shift_x) * component.pixel_stride).collect()
        };
        Self {
            component,
            low: offsets(&columns.low),
            high: offsets(&columns.high),
            black,
            cached: std::array::from_fn(|_| (None, vec![0.0; width])),
        }
    }

    fn output_row(&mut self, columns: &TwoTap, rows: &TwoTap, y: usize, out: &mut [f32]) {
        let (low_weight, high_weight) = (rows.low_weight[y], rows.high_weight[y]);
        let padding = self.black * rows.black[y];
        if low_weight == 0.0 && high_weight == 0.0 {
            out.fill(padding);
            return;
        }
        let low = self.across(columns, rows.low[y], 0);
        let high = if high_weight == 0.0 { low } else { self.across(columns, rows.high[y], 1 - low) };
        let (low, high) = (&self.cached[low].1, &self.cached[high].1);
        for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
            *out = low * low_weight + high * high_weight + padding;
        }
    }

    /// Scales picture row `y` across into a cache slot, `preferred` unless it is there already. Returns the slot.
    fn across(&mut self, columns: &TwoTap, y: usize, preferred: usize) -> usize {
        let number = y >> self.component.shift_y;
        if let Some(slot) = self.cached.iter().position(|(held, _)| *held == Some(number)) {
            return slot;
        }
        let source = self.component.row(y);
        let (held, row) = &mut self.cached[preferred];
        *held = Some(number);
        let taps = self.low.iter().zip(&self.high);
        let weights = columns.low_weight.iter().zip(&columns.high_weight).zip(&columns.black);
        for (out, ((low, high), ((low_weight, high_weight), black))) in row.iter_mut().zip(taps.zip(weights))
        {
            *out = f32::from(source[*low]) * low_weight
                + f32::from(source[*high]) * high_weight
                + self.black * black;
        }
        preferred
    }
}
