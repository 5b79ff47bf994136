//! Runs of a network, wherever it and the pictures are.

use super::{DOWNLOADS, Model, fixed_batch, shape};
use crate::{
    Error, Result,
    batch::{Contents, Seat},
    cuda::Gpu,
    on_gpu::Part,
    runs::{OnGpu, Runs},
    runtime::{self, GpuNetwork, Whom},
    spec::Role,
};
use facialads_consent::{Measurement, Permit, PurposeKind};

impl Model {
    /// Runs a network on pictures of people; the only way to do so, with [`Model::find_people`]. See [`Model::run`].
    pub(crate) fn run_on_people<P: PurposeKind>(
        &self,
        _proof: &Permit<P>,
        pictures: Pictures,
        size: (usize, usize),
        runs: &mut Runs,
    ) -> Result<()> {
        runtime::count_on_people();
        self.run(pictures, size, runs, Whom::People)
    }

    /// Runs a network on pictures of people in a GPU's memory, and lets the taker of `runs` have the outputs there. Does not wait
    /// for the GPU. `false`: the network does not take them there (any more); nobody has looked.
    pub(crate) fn find_people(
        &self,
        _proof: &Permit<Measurement>,
        parts: &[Part],
        size: (usize, usize),
        runs: &mut Runs,
    ) -> Result<bool> {
        let count = count(parts);
        if !self.takes(parts) || fixed_batch(self.describe()).is_some_and(|fixed| fixed != count) {
            return Ok(false);
        }
        runtime::count_on_people();
        match self.enqueue(parts, size, &mut runs.on_gpu, Whom::People) {
            Ok(()) => Ok(true),
            // It has moved to another device: there it is asked again.
            Err(_) if !self.takes(parts) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs a network on the programme. See [`Model::run`].
    pub(crate) fn run_on_programme(
        &self,
        picture: Pictures,
        size: (usize, usize),
        runs: &mut Runs,
    ) -> Result<()> {
        debug_assert_eq!(self.spec.role, Role::Subject);
        self.run(picture, size, runs, Whom::Programme)
    }

    /// Pictures of `size` (width, height); what comes out replaces what `runs` held, once [`Runs::settle`] was called: on a GPU
    /// the run is only enqueued.
    fn run(&self, pictures: Pictures, size: (usize, usize), runs: &mut Runs, whom: Whom) -> Result<()> {
        let parts = match pictures {
            Pictures::Host(values) => return self.run_values(values, size, runs, whom),
            Pictures::Gpu(parts) => parts,
        };
        if self.takes(parts) {
            let ran = self.run_parts(parts, size, runs, whom);
            // If it fails because the network has moved to another device, it is asked again there.
            if ran.is_ok() || self.takes(parts) {
                return ran;
            }
        }
        self.downloads.call_once(|| self.notices.warn(&self.spec.name, DOWNLOADS));
        let mut fetch = std::mem::take(&mut runs.on_gpu.fetch);
        let ran = fetch.bring(parts).and_then(|values| self.run_values(values, size, runs, whom));
        fetch.wipe();
        runs.on_gpu.fetch = fetch;
        ran
    }

    fn run_values(
        &self,
        pictures: &[f32],
        (width, height): (usize, usize),
        runs: &mut Runs,
        whom: Whom,
    ) -> Result<()> {
        let per_picture = (3 * width * height).max(1);
        let count = pictures.len() / per_picture;
        let together = self.begin(count, runs);
        if let Some(seat) = self.seat_for(count) {
            return seat.run(shape(&self.spec, count, (width, height)), pictures, runs.next(), whom);
        }
        let mut run = |values: &[f32], n: usize| {
            let outputs = runs.next();
            whom.time(|| self.network.run(&shape(&self.spec, n, (width, height)), values, outputs))
        };
        if together {
            return run(pictures, count);
        }
        pictures.chunks_exact(per_picture).try_for_each(|picture| run(picture, 1))
    }

    fn run_parts(&self, parts: &[Part], size: (usize, usize), runs: &mut Runs, whom: Whom) -> Result<()> {
        let count = count(parts);
        let together = self.begin(count, runs);
        let run = |parts: &[Part], count: usize, runs: &mut Runs| {
            runs.on_gpu.taker.values(count);
            self.enqueue(parts, size, &mut runs.on_gpu, whom)?;
            runs.expect();
            Ok(())
        };
        if together {
            return run(parts, count, runs);
        }
        let mut each = parts.iter().flat_map(|part| (0..part.count()).map(|i| part.some(i..i + 1)));
        each.try_for_each(|picture| {
            run(&[picture], 1, runs)?;
            runs.settle(whom)
        })
    }

    /// Puts a run on the network's stream, together with others' where that is wanted.
    fn enqueue(&self, parts: &[Part], size: (usize, usize), on_gpu: &mut OnGpu, whom: Whom) -> Result<()> {
        let count = count(parts);
        let shape = shape(&self.spec, count, size);
        let stage = self.spec.role.name();
        if let Some(seat) = self.seat_for(count) {
            return seat.run_on_gpu(shape, parts, &mut on_gpu.taker, stage, whom);
        }
        let Some(gpu) = self.network.gpu() else {
            let problem = "it has left the GPU".into();
            return Err(Error::Inference { model: self.spec.name.clone(), problem });
        };
        let OnGpu { taker, alone, .. } = on_gpu;
        alone.put(parts, std::mem::take(taker));
        let ran = whom.time(|| alone.run(gpu, shape, stage));
        let (back, enqueued) = alone.take(0);
        *taker = back;
        alone.wipe();
        ran.and(enqueued)
    }

    /// Whether the network takes these pictures where they lie.
    fn takes(&self, parts: &[Part]) -> bool {
        let fits = |gpu: &dyn GpuNetwork| parts.iter().all(|part| part.memory().half() == gpu.half_input());
        self.network.gpu().is_some_and(fits)
    }

    /// Whether pictures for it should have 16-bit numbers, where they are made on a GPU.
    pub(crate) fn half_input(&self) -> bool {
        self.network.gpu().is_some_and(GpuNetwork::half_input)
    }

    /// The GPU that it is on, with the context that it works in.
    pub(crate) fn gpu(&self) -> Option<&Gpu> {
        self.network.gpu().map(GpuNetwork::gpu)
    }

    /// Whether all pictures go in one run.
    fn begin(&self, count: usize, runs: &mut Runs) -> bool {
        let fixed = fixed_batch(self.describe());
        let together = fixed.is_none() || fixed == Some(count);
        runs.begin(together);
        together
    }

    /// Where pictures meet others. Whoever fills a batch alone need not wait.
    fn seat_for(&self, count: usize) -> Option<&Seat> {
        self.seat.as_ref().filter(|seat| (1..seat.size()).contains(&count))
    }
}

/// Pictures for a network, in whichever memory.
#[derive(Clone, Copy)]
pub(crate) enum Pictures<'a> {
    /// One after the other.
    Host(&'a [f32]),
    /// In this order.
    Gpu(&'a [Part]),
}

fn count(parts: &[Part]) -> usize {
    parts.iter().map(Part::count).sum()
}
