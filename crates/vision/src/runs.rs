use crate::{
    Result,
    on_gpu::{Batch, Fetch, Taker},
    runtime::{Tensor, Whom},
};

/// What a network put out for some pictures. Used again for the next run, it keeps its memory.
#[derive(Default)]
pub(crate) struct Runs {
    /// Outputs of each run; only the first `used` are of the last call.
    outputs: Vec<Vec<Tensor>>,
    used: usize,
    /// One run of all pictures, rather than one of each.
    together: bool,
    /// Whether outputs are still on their way from a GPU: they are the next ones.
    pending: bool,
    /// What runs on a GPU need.
    pub(crate) on_gpu: OnGpu,
}

/// Memory of runs on pictures in a GPU's memory.
#[derive(Default)]
pub(crate) struct OnGpu {
    pub(crate) taker: Taker,
    /// Of a run that is shared with nobody.
    pub(crate) alone: Batch,
    pub(crate) fetch: Fetch,
}

impl Runs {
    /// Forgets what it holds. `together`: whether one run will answer for all pictures.
    pub(crate) fn begin(&mut self, together: bool) {
        (self.used, self.together, self.pending) = (0, together, false);
    }

    /// Where the next run puts its outputs.
    pub(crate) fn next(&mut self) -> &mut Vec<Tensor> {
        let index = self.used;
        self.used += 1;
        if index == self.outputs.len() {
            self.outputs.push(Vec::new());
        }
        &mut self.outputs[index]
    }

    /// A run is on its way on a GPU, and its taker takes all numbers.
    pub(crate) fn expect(&mut self) {
        self.pending = true;
    }

    /// Waits for what is on its way. To be called before outputs are asked for.
    pub(crate) fn settle(&mut self, whom: Whom) -> Result<()> {
        if !std::mem::take(&mut self.pending) {
            return Ok(());
        }
        whom.time(|| self.read_next())
    }

    fn read_next(&mut self) -> Result<()> {
        let mut taker = std::mem::take(&mut self.on_gpu.taker);
        let read = taker.read_values(self.next());
        self.on_gpu.taker = taker;
        read
    }

    /// Outputs and index in them of picture `index`; no outputs if there was none.
    pub(crate) fn outputs_of(&self, index: usize) -> (&[Tensor], usize) {
        let (run, item) = if self.together { (0, index) } else { (index, 0) };
        let of_run = self.outputs.get(..self.used).and_then(|runs| runs.get(run));
        (of_run.map_or(&[], Vec::as_slice), item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_call_left_is_never_told_again() {
        let mut runs = Runs::default();
        runs.begin(false);
        for value in [1.0, 2.0] {
            runs.next().push(Tensor::new(vec![1, 1], vec![value]).unwrap());
        }
        let told = |runs: &Runs, index| {
            let (outputs, item) = runs.outputs_of(index);
            outputs.first().map(|tensor| tensor.item(item).to_vec())
        };
        assert_eq!((told(&runs, 0), told(&runs, 1)), (Some(vec![1.0]), Some(vec![2.0])));
        runs.begin(true);
        assert_eq!(told(&runs, 0), None);
        runs.next()[0].reshape(&[2, 1]).copy_from_slice(&[3.0, 4.0]);
        assert_eq!((told(&runs, 0), told(&runs, 1)), (Some(vec![3.0]), Some(vec![4.0])));
        assert_eq!(told(&runs, 2), Some(vec![]));
    }
}
