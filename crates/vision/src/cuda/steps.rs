//! What whole pictures and crops have in common: the order of the launches, and the bytes that they move.

use super::{CudaFrame, Gpu, Stream, frame::same_context, table::Job};
use crate::Result;

/// Threads of a block.
pub(super) const BLOCK: [u32; 3] = [256, 1, 1];
/// Memory is read in pieces of this many bytes.
const SECTOR: u64 = 32;

/// Blocks for `items` threads in each of `rows` rows.
pub(super) fn grid(items: u64, rows: usize) -> [u32; 3] {
    let blocks = items.div_ceil(u64::from(BLOCK[0]));
    [u32::try_from(blocks).unwrap_or(u32::MAX), u32::try_from(rows).unwrap_or(u32::MAX), 1]
}

/// Makes work in `stream` come after the producers of these frames.
pub(super) fn follow<'a>(stream: &Stream, frames: impl Iterator<Item = &'a CudaFrame<'a>>) -> Result<()> {
    let gpu: &Gpu = stream.gpu();
    let mut last = stream.raw();
    for frame in frames {
        same_context(gpu, frame.gpu())?;
        let producer = frame.stream().raw();
        if producer != stream.raw() && producer != last {
            stream.wait(&frame.stream().record()?)?;
        }
        last = producer;
    }
    Ok(())
}

/// How often each step has to be run for these jobs, the antialiased ones of which come first.
pub(super) struct Extent {
    antialiased: usize,
    jobs: usize,
    outputs: u64,
    scaled: u64,
    pixels: u64,
}

impl Extent {
    pub(super) fn of(jobs: &[Job]) -> Self {
        let antialiased = || jobs.iter().filter(|job| job.is_antialiased());
        Self {
            antialiased: antialiased().count(),
            jobs: jobs.len(),
            outputs: antialiased().map(Job::most_outputs).max().unwrap_or(0),
            scaled: antialiased().map(Job::most_scaled).max().unwrap_or(0),
            pixels: jobs.iter().map(Job::pixels).max().unwrap_or(0),
        }
    }

    /// Two rows of threads for each antialiased job.
    pub(super) fn weights(&self) -> [u32; 3] {
        grid(self.outputs, 2 * self.antialiased)
    }
    /// Three rows for each.
    pub(super) fn across(&self) -> [u32; 3] {
        grid(self.scaled, 3 * self.antialiased)
    }
    /// One row for each job.
    pub(super) fn pixels(&self) -> [u32; 3] {
        grid(self.pixels, self.jobs)
    }
}

/// Bytes that kernels have to move between the GPU's memory and its processors, if every byte is moved once: over the memory's
/// bandwidth, the least time that they can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BytesMoved {
    /// In pieces of 32 bytes, as memory is read: of a frame, the pieces with samples that count; of intermediate pictures, all.
    pub read: u64,
    pub written: u64,
}

impl BytesMoved {
    pub fn total(&self) -> u64 {
        self.read + self.written
    }
}

impl std::iter::Sum for BytesMoved {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self { read: a.read + b.read, written: a.written + b.written })
    }
}

impl Job {
    pub(super) fn bytes_moved(&self) -> BytesMoved {
        let (weights, scaled) = self.scratch();
        let scratch = (weights + scaled) as u64;
        BytesMoved { read: self.frame_bytes() + scratch, written: self.written() + scratch }
    }

    /// Of the frame.
    fn frame_bytes(&self) -> u64 {
        let (columns, rows) = if self.is_antialiased() || self.is_turned() {
            let all = |(first, length): (usize, usize)| (first..first + length).collect();
            (all(self.columns.region()), all(self.rows.region()))
        } else {
            let half_pixel = !self.is_legacy();
            (self.columns.touched(half_pixel), self.rows.touched(half_pixel))
        };
        let components = &self.frame.components[..self.components()];
        let mut counted = [false; 3];
        let mut bytes = 0;
        for (first, component) in components.iter().enumerate() {
            if counted[first] {
                continue;
            }
            // Components that lie between each other share their pieces.
            let beside = |other: &super::table::Component| {
                other.row_stride == component.row_stride
                    && other.shift_y == component.shift_y
                    && other.address.abs_diff(component.address)
                        < other.pixel_stride.max(component.pixel_stride)
            };
            let mut pieces = Vec::new();
            for (index, other) in components.iter().enumerate().skip(first) {
                if index == first || (!counted[index] && beside(other)) {
                    counted[index] = true;
                    let at = |x: &usize| {
                        (other.address + (*x as u64 >> other.shift_x) * other.pixel_stride) / SECTOR
                    };
                    pieces.extend(columns.iter().map(at));
                }
            }
            pieces.sort_unstable();
            pieces.dedup();
            let mut lines: Vec<usize> = rows.iter().map(|y| y >> component.shift_y).collect();
            lines.dedup();
            bytes += pieces.len() as u64 * lines.len() as u64 * SECTOR;
        }
        bytes
    }
}
