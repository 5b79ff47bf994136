//! Memory of decoding on the GPU, kept from picture to picture.

pub(super) use super::params::{Face, Header};

use super::params::{OVERLAP_BYTES, SORTED_BYTES, Table};
use crate::{
    Error, Result,
    cuda::{DeviceBuffer, Gpu, GpuFailure, Payload, PinnedBuffer, Stream},
    decode::Detection,
};

/// What decoding works in: the table of candidates on the device, and the results on the host. One for each detection that goes
/// on at a time; grows to what pictures need, and is wiped when it is dropped.
#[derive(Default)]
pub struct DecodeBuffers {
    device: Option<DeviceBuffer>,
    host: Option<PinnedBuffer>,
    /// Of the results on the device.
    results: usize,
    /// Pictures and faces per picture that the last call has asked for; 0: nothing to read.
    pictures: usize,
    most: usize,
    found: Vec<Detection>,
}

// Boxes of faces are never printed.
impl std::fmt::Debug for DecodeBuffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.device.as_ref().map_or(0, DeviceBuffer::len);
        write!(f, "DecodeBuffers({bytes} bytes)")
    }
}

/// Where everything lies in the device's memory.
pub(super) struct Room {
    pub table: Table,
    pub sorted: u64,
    pub overlap: u64,
    pub results: u64,
}

/// The least room for candidates, so that memory is not taken anew when a network's input grows a little.
const LEAST_CANDIDATES: usize = 4096;

impl DecodeBuffers {
    pub(super) fn forget(&mut self) {
        self.pictures = 0;
        self.found.clear();
    }

    pub(super) fn room(&mut self, gpu: &Gpu, pictures: usize, cells: usize, most: usize) -> Result<Room> {
        let capacity = cells.max(LEAST_CANDIDATES);
        let of_results = size_of::<Header>() + most * size_of::<Face>();
        // All parts are multiples of 8 bytes but the keys', which are made one of 16.
        let parts = [
            of_results,
            size_of::<Header>(),
            capacity.next_multiple_of(2) * size_of::<u64>(),
            capacity * size_of::<Face>(),
            SORTED_BYTES,
            OVERLAP_BYTES,
        ];
        let too_much = || Error::Gpu {
            failure: GpuFailure::OutOfMemory,
            problem: format!("{cells} candidates of {pictures} pictures do not fit"),
            remedy: "use a smaller batch-size or detector size".into(),
        };
        let mut starts = [0_usize; 6];
        let mut bytes = 0_usize;
        for (start, part) in starts.iter_mut().zip(parts) {
            *start = bytes;
            let all = part.checked_mul(pictures).and_then(|all| all.checked_next_multiple_of(256));
            bytes = all.and_then(|all| bytes.checked_add(all)).ok_or_else(too_much)?;
        }
        let fits = |buffer: &&DeviceBuffer| buffer.len() >= bytes && buffer.gpu().is_same_context(gpu);
        if self.device.as_ref().filter(fits).is_none() {
            // The old one goes first: there may not be room for both. What the host has may be of another context then.
            (self.device, self.host) = (None, None);
            self.device = Some(gpu.allocate(bytes)?);
        }
        let results = of_results * pictures;
        if self.host.as_ref().is_none_or(|buffer| buffer.len() < results) {
            self.host = None;
            self.host = Some(gpu.pinned(results)?);
        }
        let base = self.device.as_ref().map_or(0, DeviceBuffer::address);
        let at = |part: usize| base + starts[part] as u64;
        (self.results, self.pictures, self.most) = (results, pictures, most);
        let capacity = u32::try_from(capacity).map_err(|_| too_much())?;
        let table = Table { counts: at(1), keys: at(2), faces: at(3), capacity, reserved: 0 };
        Ok(Room { table, sorted: at(4), overlap: at(5), results: at(0) })
    }

    /// Brings the results to the host when they are there.
    pub(super) fn fetch(&mut self, stream: &Stream) -> Result<()> {
        match (&self.device, &mut self.host) {
            (Some(device), Some(host)) => host.read(stream, device, self.results, Payload::Results),
            _ => Err(nothing()),
        }
    }

    /// Whether the results are there, so that reading them does not wait.
    ///
    /// # Errors
    /// The GPU failed.
    pub fn is_done(&self) -> Result<bool> {
        self.host.as_ref().map_or(Ok(true), PinnedBuffer::is_done)
    }

    /// Gives the results of the `nth` picture to `read`, which fills the faces that come back.
    pub(super) fn take(
        &mut self,
        nth: usize,
        read: impl FnOnce(&Header, &[Face], &mut Vec<Detection>) -> Result<()>,
    ) -> Result<&[Detection]> {
        self.found.clear();
        if nth >= self.pictures {
            return Err(nothing());
        }
        let words = self.host.as_mut().ok_or_else(nothing)?.values::<u64>()?;
        let of_one = (size_of::<Header>() + self.most * size_of::<Face>()) / size_of::<u64>();
        let words = words.get(nth * of_one..(nth + 1) * of_one).ok_or_else(nothing)?;
        let (header, faces) = words.split_at(size_of::<Header>() / size_of::<u64>());
        // SAFETY: both are structs of numbers, made by the kernels, in memory aligned for 8 bytes.
        let (header, faces) = unsafe { (header.align_to::<Header>().1, faces.align_to::<Face>().1) };
        match header {
            [header] => read(header, faces, &mut self.found).inspect_err(|_| self.found.clear())?,
            _ => return Err(nothing()),
        }
        Ok(&self.found)
    }
}

fn nothing() -> Error {
    Error::Gpu {
        failure: GpuFailure::Other,
        problem: "faces were asked for that nothing was decoded into".into(),
        remedy: "please report this".into(),
    }
}
