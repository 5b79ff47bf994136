use super::gatherer::Contents;
use crate::{
    Error, Result,
    runtime::{Network, Tensor},
};

/// A batch in the computer's memory.
#[derive(Default)]
pub(super) struct Rows {
    values: Vec<f32>,
    outputs: Vec<Tensor>,
}

impl Contents for Rows {
    fn wipe(&mut self) {
        self.values.fill(0.0);
        self.values.clear();
        self.outputs.iter_mut().for_each(Tensor::wipe);
    }
}

impl Rows {
    pub(super) fn put(&mut self, values: &[f32]) {
        self.values.extend_from_slice(values);
    }

    pub(super) fn run(&mut self, network: &dyn Network, shape: [usize; 4]) -> Result<()> {
        network.run(&shape, &self.values, &mut self.outputs)?;
        // Rows are told apart by their number alone.
        match self.outputs.iter().find(|output| output.shape().first() != shape.first()) {
            None => Ok(()),
            Some(wrong) => Err(Error::Inference {
                model: network.describe().model.clone(),
                problem: format!(
                    "it was given {} pictures and answered with a tensor {:?}; set batch-size to 1",
                    shape[0],
                    wrong.shape()
                ),
            }),
        }
    }

    /// Copies what belongs to `pictures` pictures from `first` on into `outputs`, in place of what they held.
    pub(super) fn take(&self, first: usize, pictures: usize, outputs: &mut Vec<Tensor>) -> Result<()> {
        outputs.resize_with(self.outputs.len(), Tensor::default);
        for (all, mine) in self.outputs.iter().zip(outputs) {
            mine.copy_rows(all, first, pictures);
        }
        Ok(())
    }
}
