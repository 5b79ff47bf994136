use crate::{
    preprocess::Placement,
    spec::{Channels, InputSpec, Layout},
};

/// Puts RGB rows where the network wants them, normalised.
pub(super) struct Writer<'a> {
    values: Vec<f32>,
    width: usize,
    height: usize,
    input: &'a InputSpec,
}

impl<'a> Writer<'a> {
    pub(super) fn new(placement: &Placement, input: &'a InputSpec) -> Self {
        let (width, height) = (placement.out_width, placement.out_height);
        Self { values: vec![0.0; 3 * width * height], width, height, input }
    }

    pub(super) fn row(&mut self, y: usize, rgb: &[Vec<f32>; 3]) {
        for channel in 0..3 {
            let source = match self.input.channels {
                Channels::Rgb => &rgb[channel],
                Channels::Bgr => &rgb[2 - channel],
            };
            let (mean, scale) = (self.input.mean[channel], self.input.scale[channel]);
            let (start, step) = match self.input.layout {
                Layout::Nchw => ((channel * self.height + y) * self.width, 1),
                Layout::Nhwc => (y * self.width * 3 + channel, 3),
            };
            let target = self.values[start..].iter_mut().step_by(step);
            for (target, source) in target.zip(source) {
                *target = (source - mean) * scale;
            }
        }
    }

    pub(super) fn into_values(self) -> Vec<f32> {
        self.values
    }
}
