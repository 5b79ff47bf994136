//! Memory that kernels work in between two launches.

use super::{DeviceBuffer, Event, Gpu, Payload, Stream, table::Job};
use crate::Result;

/// What a copy of the host's ordinary memory may have for the driver to take it at once, without waiting for the stream
/// (CUDA driver API, "API synchronization behavior").
const AT_ONCE: usize = 64 << 10;

/// Bytes of rows scaled across that are kept at a time; what needs more is done one part after the other.
const MOST_SCALED: usize = 256 << 20;

/// Memory of [`super::picture::launch`], [`super::crop::launch`] and [`super::quality::launch`] on the device, one for each
/// streaming thread: nothing is allocated once the largest pictures were made. Work on different streams that shares one is
/// done one after the other. Wiped when it is dropped.
#[derive(Default)]
pub struct Workspace {
    /// Weights of pictures, and what they were made for: most frames are as large as the one before.
    pub(super) picture_weights: Weights,
    pub(super) crop_weights: Weights,
    scaled: Option<DeviceBuffer>,
    table: Option<DeviceBuffer>,
    pub(super) sums: Option<DeviceBuffer>,
    /// The host's part of the table that is being made.
    pub(super) jobs: Vec<Job>,
    /// After the last work that uses it, and in which stream.
    last: Option<(usize, Event)>,
}

#[derive(Default)]
pub(super) struct Weights {
    buffer: Option<DeviceBuffer>,
    made_for: Vec<(super::table::Side, super::table::Side)>,
}

// What it holds are pictures of people.
impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workspace")
    }
}

impl Workspace {
    /// Gives its memory back, which wipes it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives back what shows parts of frames, which wipes it; tables stay.
    pub(crate) fn forget_pixels(&mut self) {
        self.scaled = None;
    }

    /// Bytes of device memory that it holds.
    pub fn bytes(&self) -> usize {
        let weights = [&self.picture_weights.buffer, &self.crop_weights.buffer];
        let buffers = [&self.scaled, &self.table, &self.sums];
        weights.into_iter().chain(buffers).flatten().map(DeviceBuffer::len).sum()
    }

    /// Before work that uses it: what is in another stream comes first. Memory of another context is given back.
    pub(super) fn begin(&mut self, stream: &Stream) -> Result<()> {
        if self.last.as_ref().is_some_and(|(_, event)| !event.gpu().is_same_context(stream.gpu())) {
            self.clear();
        }
        match &self.last {
            Some((other, event)) if *other != stream.raw().addr() => stream.wait(event),
            _ => Ok(()),
        }
    }

    /// After work that uses it.
    pub(super) fn end(&mut self, stream: &Stream) -> Result<()> {
        self.last = Some((stream.raw().addr(), stream.record()?));
        Ok(())
    }

    /// Gives jobs their scratch memory. Returns whether their weights have to be made.
    pub(super) fn place(
        &mut self,
        gpu: &Gpu,
        jobs: &mut [Job],
        kept: fn(&mut Self) -> &mut Weights,
    ) -> Result<bool> {
        let (weights, scaled) = needed(jobs);
        if weights == 0 {
            return Ok(false);
        }
        let scaled = room(&mut self.scaled, gpu, scaled)?.0;
        let sides = |job: &Job| (job.columns, job.rows);
        let antialiased = || jobs.iter().filter(|job| job.is_antialiased());
        let Weights { buffer, made_for } = kept(self);
        let (weights, is_new) = room(buffer, gpu, weights)?;
        let known = !is_new && antialiased().map(sides).eq(made_for.iter().copied());
        if !known {
            made_for.clear();
            made_for.extend(antialiased().map(sides));
        }
        let (mut next_weights, mut next_scaled) = (weights, scaled);
        for job in jobs.iter_mut() {
            job.place(next_weights, next_scaled);
            let (weights, scaled) = job.scratch();
            next_weights += weights as u64;
            next_scaled += scaled as u64;
        }
        Ok(!known)
    }

    /// Forgets weights whose making failed.
    pub(super) fn forget(&mut self) {
        self.picture_weights.made_for.clear();
        self.crop_weights.made_for.clear();
    }

    /// Copies a table to the device, in the order of `stream`. The thread does not wait. Returns its address.
    pub(super) fn upload<T: super::Plain>(&mut self, stream: &Stream, table: &[T]) -> Result<u64> {
        let (address, _) = room(&mut self.table, stream.gpu(), size_of_val(table))?;
        let at_once = (AT_ONCE / size_of::<T>().max(1)).max(1);
        for (number, part) in table.chunks(at_once).enumerate() {
            let offset = (number * at_once * size_of::<T>()) as u64;
            stream.upload((stream.gpu(), address + offset), part, Payload::Results)?;
        }
        Ok(address)
    }
}

/// How many of the first jobs are done together: at most `most`, and no more scaled rows than [`MOST_SCALED`], but at least one.
pub(super) fn together(jobs: &[Job], most: usize) -> usize {
    let mut bytes = 0_usize;
    let fits = |job: &&Job| {
        bytes = bytes.saturating_add(job.scratch().1);
        bytes <= MOST_SCALED
    };
    jobs.iter().take(most).take_while(fits).count().clamp(1, jobs.len().max(1))
}

/// Bytes of weights and of scaled rows that jobs need.
pub(super) fn needed(jobs: &[Job]) -> (usize, usize) {
    jobs.iter().map(Job::scratch).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
}

/// Makes a buffer large enough: its address, and whether it is another than before.
pub(super) fn room(buffer: &mut Option<DeviceBuffer>, gpu: &Gpu, bytes: usize) -> Result<(u64, bool)> {
    if let Some(there) = buffer.as_ref().filter(|there| there.len() >= bytes) {
        return Ok((there.address(), false));
    }
    // Given back first: both need not fit at once. A quarter more: faces grow.
    *buffer = None;
    Ok((buffer.insert(gpu.allocate(bytes + bytes / 4)?).address(), true))
}
