//! Pictures of several elements that share a network, in one run of it.

mod gatherer;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use gatherer::Contents;

use crate::{
    Error, Result,
    on_gpu::{Batch, Part, Taker},
    runtime::{LoadOptions, Network, Tensor, Whom},
};
use gatherer::{Gatherer, Terms};
use rows::Rows;
use std::{
    cell::Cell,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

/// What comes together at one network.
struct Table {
    network: Arc<dyn Network>,
    /// Pictures in the computer's memory, and those in a GPU's, which do not mix.
    host: Gatherer<Rows>,
    gpu: Gatherer<Batch>,
}

/// Tables in use. They keep their networks alive, so that a network's address stays its own.
static TABLES: Mutex<Vec<Weak<Table>>> = Mutex::new(Vec::new());

/// A place at the table of a network: whoever loads it to run batches with others has one.
pub(crate) struct Seat {
    table: Arc<Table>,
    terms: Terms,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.table.host.stand_up();
        self.table.gpu.stand_up();
    }
}

impl Seat {
    /// `None` where `options` ask for no batches.
    pub(crate) fn of(network: &Arc<dyn Network>, options: &LoadOptions) -> Option<Self> {
        let size = options.batch_size as usize;
        (size > 1).then(|| Self::at(network, size, options.batch_timeout))
    }

    fn at(network: &Arc<dyn Network>, size: usize, patience: Duration) -> Self {
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|table| table.strong_count() > 0);
        let known =
            tables.iter().filter_map(Weak::upgrade).find(|table| Arc::ptr_eq(&table.network, network));
        let table = known.unwrap_or_else(|| {
            let network = Arc::clone(network);
            let table = Arc::new(Table { network, host: Gatherer::default(), gpu: Gatherer::default() });
            tables.push(Arc::downgrade(&table));
            table
        });
        table.host.sit_down();
        table.gpu.sit_down();
        Self { table, terms: Terms { size, patience } }
    }

    /// Most pictures that run together.
    pub(crate) fn size(&self) -> usize {
        self.terms.size
    }

    /// [`Network::run`] of pictures in the computer's memory together with others'. `shape` counts pictures first.
    pub(crate) fn run(
        &self,
        shape: [usize; 4],
        values: &[f32],
        outputs: &mut Vec<Tensor>,
        whom: Whom,
    ) -> Result<()> {
        let [pictures, a, b, c] = shape;
        let network = &*self.table.network;
        let lead = |rows: &mut Rows, pictures: usize| whom.time(|| rows.run(network, [pictures, a, b, c]));
        let take = |rows: &mut Rows, first: usize| rows.take(first, pictures, outputs);
        self.table.host.run([a, b, c], pictures, self.terms, |rows| rows.put(values), lead, take)
    }

    /// The same of pictures in a GPU's memory. Returns when the run is enqueued and `taker` with it, without waiting for the GPU.
    pub(crate) fn run_on_gpu(
        &self,
        shape: [usize; 4],
        parts: &[Part],
        taker: &mut Taker,
        stage: &'static str,
        whom: Whom,
    ) -> Result<()> {
        let [pictures, a, b, c] = shape;
        let network = &*self.table.network;
        let lead = |batch: &mut Batch, pictures: usize| {
            let Some(gpu) = network.gpu() else {
                let model = network.describe().model.clone();
                return Err(Error::Inference { model, problem: "it has left the GPU".into() });
            };
            whom.time(|| batch.run(gpu, [pictures, a, b, c], stage))
        };
        let lent = Cell::new(std::mem::take(taker));
        let take = |batch: &mut Batch, first: usize| {
            let (back, outcome) = batch.take(first);
            lent.set(back);
            outcome
        };
        let put = |batch: &mut Batch| batch.put(parts, lent.take());
        let ran = self.table.gpu.run([a, b, c], pictures, self.terms, put, lead, take);
        *taker = lent.take();
        ran
    }
}
