//! Which samples of a row or column make an output sample, and with which weights.

/// Two samples and a share of black for each output sample. Indices count from the frame's edge and are always valid;
/// what lies beside the region has weight 0 and its share goes to `black`.
#[derive(Default)]
pub(super) struct TwoTap {
    pub(super) low: Vec<usize>,
    pub(super) high: Vec<usize>,
    pub(super) low_weight: Vec<f32>,
    pub(super) high_weight: Vec<f32>,
    pub(super) black: Vec<f32>,
}

/// One direction of a placement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Side {
    /// Region in the frame.
    pub(crate) start: usize,
    pub(crate) length: usize,
    /// Where it lies on the canvas.
    pub(crate) offset: usize,
    pub(crate) canvas: f64,
    pub(crate) out: usize,
}

impl Side {
    pub(crate) fn step(&self) -> f64 {
        self.canvas / self.out as f64
    }

    /// Index in the frame and whether the region has it.
    fn locate(&self, on_canvas: usize) -> (usize, bool) {
        let inside = on_canvas.checked_sub(self.offset).filter(|i| *i < self.length);
        (self.start + inside.unwrap_or(0), inside.is_some())
    }
}

impl TwoTap {
    pub(super) fn new(side: Side, half_pixel: bool) -> Self {
        let mut axis = Self::default();
        axis.fill(side, half_pixel);
        axis
    }

    /// The same in the memory of an older one.
    pub(super) fn fill(&mut self, side: Side, half_pixel: bool) {
        self.low.clear();
        self.high.clear();
        self.low_weight.clear();
        self.high_weight.clear();
        self.black.clear();
        let last = (side.canvas.ceil() as usize).saturating_sub(1);
        // In single precision: the original computes the positions so, and ages change with a thousandth of a pixel.
        let step = side.step() as f32;
        for out in 0..side.out {
            let position = if half_pixel {
                ((out as f32 + 0.5) * step - 0.5).clamp(0.0, last as f32)
            } else {
                out as f32 * step
            };
            let low = (position.floor() as usize).min(last);
            let high = (position.ceil() as usize).min(last);
            let fraction = position - position.floor();
            let (low, low_inside) = side.locate(low);
            let (high, high_inside) = side.locate(high);
            let low_weight = if low_inside { 1.0 - fraction } else { 0.0 };
            let high_weight = if high_inside { fraction } else { 0.0 };
            self.low.push(low);
            self.high.push(high);
            self.low_weight.push(low_weight);
            self.high_weight.push(high_weight);
            // Exactly 0 inside, so that it cannot disturb the sum.
            self.black.push(if low_inside && high_inside { 0.0 } else { 1.0 - low_weight - high_weight });
        }
    }
}

impl Side {
    /// The samples that bilinear scaling reads, in ascending order.
    pub(crate) fn touched(self, half_pixel: bool) -> Vec<usize> {
        let taps = TwoTap::new(self, half_pixel);
        let low = taps.low.into_iter().zip(taps.low_weight);
        let high = taps.high.into_iter().zip(taps.high_weight);
        let read = low.chain(high).filter(|(_, weight)| *weight != 0.0);
        let mut touched: Vec<usize> = read.map(|(sample, _)| sample).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }
}

/// Any number of neighbouring samples for each output sample: a triangle as wide as the reduction.
pub(super) struct Triangle {
    /// First sample in the frame, weights of it and those after it, share of black.
    pub(super) taps: Vec<(usize, Vec<f32>, f32)>,
}

/// The triangle over one output sample.
pub(super) struct Tap {
    centre: f64,
    reach: f64,
    total: f64,
    /// On the canvas: what lies in the region.
    inside: std::ops::Range<usize>,
    /// Whether some of the triangle lies beside it.
    pub(super) padded: bool,
    /// From the canvas to the frame.
    start: usize,
    offset: usize,
}

impl Tap {
    pub(super) fn new(side: &Side, out: usize) -> Self {
        let step = side.step();
        let reach = step.max(1.0);
        let canvas = side.canvas.ceil() as usize;
        let centre = (out as f64 + 0.5) * step;
        let first = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).clamp(first + 1, canvas.max(first + 1));
        let inside_first = first.max(side.offset).min(side.offset + side.length);
        let inside_end = end.min(side.offset + side.length).max(inside_first);
        let mut tap = Self {
            centre,
            reach,
            total: 1.0,
            inside: inside_first..inside_end,
            padded: inside_first != first || inside_end != end,
            start: side.start,
            offset: side.offset,
        };
        tap.total = (first..end).map(|i| tap.weight_of(i)).sum::<f64>().max(f64::MIN_POSITIVE);
        tap
    }

    fn weight_of(&self, on_canvas: usize) -> f64 {
        (1.0 - ((on_canvas as f64 + 0.5 - self.centre) / self.reach).abs()).max(0.0) / self.total
    }

    /// Samples in the frame.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        let first = self.start + self.inside.start - self.offset;
        first..first + self.inside.len()
    }
    /// Of each of them.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> {
        self.inside.clone().map(|i| self.weight_of(i))
    }
}

impl Triangle {
    pub(super) fn new(side: Side) -> Self {
        let tap = |out: usize| {
            let tap = Tap::new(&side, out);
            let weights: Vec<f32> = tap.weights().map(|w| w as f32).collect();
            let black = if tap.padded { 1.0 - weights.iter().sum::<f32>() } else { 0.0 };
            (tap.range().start, weights, black)
        };
        Self { taps: (0..side.out).map(tap).collect() }
    }
}
