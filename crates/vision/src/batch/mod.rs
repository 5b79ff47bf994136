//! Pictures of several elements that share a network, in one run of it.

mod gatherer;
mod rows;
#[cfg(test)]
mod tests;

use crate::{
    Result,
    runtime::{LoadOptions, Network, Tensor},
};
use gatherer::{Gatherer, Shape, Terms};
use rows::Rows;
use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

/// What comes together at one network.
struct Table {
    network: Arc<dyn Network>,
    host: Gatherer<Rows>,
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
            let table = Arc::new(Table { network: Arc::clone(network), host: Gatherer::default() });
            tables.push(Arc::downgrade(&table));
            table
        });
        table.host.sit_down();
        Self { table, terms: Terms { size, patience } }
    }

    /// Most pictures that run together.
    pub(crate) fn size(&self) -> usize {
        self.terms.size
    }

    /// [`Network::run`] of pictures in the computer's memory together with others'. `timed` is called around the run itself,
    /// once per batch. `shape` counts pictures first.
    pub(crate) fn run(
        &self,
        shape: [usize; 4],
        values: &[f32],
        outputs: &mut Vec<Tensor>,
        timed: impl FnOnce(&mut dyn FnMut() -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let [pictures, a, b, c] = shape;
        let of_picture: Shape = [a, b, c];
        let lead = |rows: &mut Rows, pictures: usize| {
            timed(&mut || rows.run(&*self.table.network, [pictures, a, b, c]))
        };
        let take = |rows: &mut Rows, first: usize| rows.take(first, pictures, outputs);
        self.table.host.run(of_picture, pictures, self.terms, |rows| rows.put(values), lead, take)
    }
}
