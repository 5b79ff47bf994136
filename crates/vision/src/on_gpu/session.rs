//! A run of a network on pictures that lie in a GPU's memory.

use super::{Part, Taker, defect};
use crate::{
    Result,
    batch::Contents,
    cuda::{Event, Place},
    runtime::{GpuNetwork, GpuSession},
};

/// Pictures that run together, and those who take the results.
#[derive(Default)]
pub(crate) struct Batch {
    parts: Vec<Part>,
    takers: Vec<Waiting>,
}

/// Somebody whose results are in a batch.
struct Waiting {
    /// The first of their pictures.
    first: usize,
    taker: Taker,
    outcome: Result<()>,
}

impl Contents for Batch {
    fn wipe(&mut self) {
        self.parts.clear();
        self.takers.clear();
    }
}

impl Batch {
    /// Adds pictures, and what takes their results: `taker` is lent to the batch until [`Batch::take`].
    pub(crate) fn put(&mut self, parts: &[Part], taker: Taker) {
        let first = self.parts.iter().map(Part::count).sum();
        self.parts.extend_from_slice(parts);
        self.takers.push(Waiting { first, taker, outcome: Ok(()) });
    }

    /// Enqueues the run, and whatever the takers want with its results. Does not wait for it.
    ///
    /// `stage`: what it is called in [`crate::cuda::stage_times`]. `shape`: of a batch of all pictures.
    ///
    /// # Errors
    /// The run could not be enqueued: nobody has results.
    pub(crate) fn run(
        &mut self,
        network: &dyn GpuNetwork,
        shape: [usize; 4],
        stage: &'static str,
    ) -> Result<()> {
        let mut session = network.session()?;
        let copied = self.fill(network, &mut *session, shape);
        let ran = copied.and_then(|copied| {
            let begun = session.stream().begin_stage();
            session.run()?;
            session.stream().end_stage(stage, begun);
            Ok(copied)
        });
        let copied = match ran {
            Ok(copied) => copied,
            Err(error) => {
                // Pictures of another context may still be read, and are about to be given back there.
                if self.has_foreign(network) {
                    let _ = session.stream().synchronize();
                }
                return Err(error);
            }
        };
        let (gpu, stream) = (network.gpu(), session.stream());
        for waiting in &mut self.takers {
            waiting.outcome = waiting.taker.enqueue(gpu, stream, session.outputs(), waiting.first);
        }
        drop(session);
        // Memory is given back in the order of its own context's streams, which do not know of the network's. The copies have
        // been done long before the network is.
        copied.map_or(Ok(()), |copied| copied.wait())
    }

    /// Copies the pictures into the network's input, in the order of its stream. Gives a point to wait for where memory of
    /// another context is read.
    fn fill(
        &self,
        network: &dyn GpuNetwork,
        session: &mut dyn GpuSession,
        shape: [usize; 4],
    ) -> Result<Option<Event>> {
        // It may have moved to another precision since the pictures were made: they would not fit into its input.
        if self.parts.iter().any(|part| part.memory().half() != network.half_input()) {
            return Err(defect("pictures on a GPU have another precision than the network"));
        }
        let mut address = session.input(&shape)?;
        let values: usize = shape.iter().product();
        if self.parts.iter().map(Part::values).sum::<usize>() != values {
            return Err(defect(format!("pictures on a GPU do not fill a tensor {shape:?}")));
        }
        let (gpu, stream) = (network.gpu(), session.stream());
        for part in &self.parts {
            stream.wait(part.memory().ready()?)?;
            stream.copy(Place { gpu, address }, part.place()?, part.bytes())?;
            address += part.bytes() as u64;
        }
        if self.has_foreign(network) { stream.record().map(Some) } else { Ok(None) }
    }

    /// Whether a picture lies in another context than the network.
    fn has_foreign(&self, network: &dyn GpuNetwork) -> bool {
        let is_foreign =
            |part: &Part| part.memory().gpu().is_some_and(|gpu| !gpu.is_same_context(network.gpu()));
        self.parts.iter().any(is_foreign)
    }

    /// Gives a taker back, whose pictures begin with number `first`, and whether it could enqueue its work.
    pub(crate) fn take(&mut self, first: usize) -> (Taker, Result<()>) {
        match self.takers.iter_mut().find(|waiting| waiting.first == first) {
            Some(waiting) => {
                (std::mem::take(&mut waiting.taker), std::mem::replace(&mut waiting.outcome, Ok(())))
            }
            None => (Taker::Nothing, Err(defect("a batch has lost somebody's results"))),
        }
    }
}
