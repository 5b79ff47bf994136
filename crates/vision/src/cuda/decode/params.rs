//! The kernels of yunet.cu, ssd.cu and nms.cu, and what they take: the same structs as there.

use super::{DecodePicture, Suppression, buffers::Room};
use crate::{
    Result,
    cuda::{Kernel, Params, Plain, Stream, sources},
};

pub(super) const YUNET: Kernel = Kernel::new(&sources::YUNET, "yunet_candidates");
pub(super) const SSD: Kernel = Kernel::new(&sources::SSD, "ssd_candidates");
const NMS_BEGIN: Kernel = Kernel::new(&sources::NMS, "nms_begin");
const NMS_RANK: Kernel = Kernel::new(&sources::NMS, "nms_rank");
const NMS_OVERLAPS: Kernel = Kernel::new(&sources::NMS, "nms_overlaps");
const NMS_KEEP: Kernel = Kernel::new(&sources::NMS, "nms_keep");

/// Pictures that one call can decode.
pub const MOST_PICTURES: usize = 64;

/// As on the host: a network gone wild must not stall anybody.
pub(super) const MOST_CANDIDATES: usize = 1000;
/// Words of 32 bits with one bit for each candidate.
const WORDS: usize = 32;

const BLOCK: u32 = 128;

/// `DecodeCount`, which leads a picture's results.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Header {
    bad: u64,
    pub candidates: u32,
    pub kept: u32,
}

/// `DecodedFace`. Never printed.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Face {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
    pub confidence: f32,
    pub index: u32,
    pub points: [f32; 10],
}

impl Header {
    /// The first score that cannot be believed: where (YuNet: its level, SSD: its box), and what it is.
    pub fn bad(&self) -> Option<(u32, f32)> {
        let found = self.bad != u64::MAX;
        found.then(|| ((self.bad >> 32) as u32, f32::from_bits((self.bad & u64::from(u32::MAX)) as u32)))
    }
}

// SAFETY: numbers without padding: 8 + 4 + 4 bytes.
unsafe impl Plain for Header {}
// SAFETY: 16 numbers of 4 bytes.
unsafe impl Plain for Face {}

/// `DecodeTable`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Table {
    pub counts: u64,
    pub keys: u64,
    pub faces: u64,
    pub capacity: u32,
    pub reserved: u32,
}

/// `DecodePicture` of decode.cuh.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct PictureParams {
    item: u32,
    threshold: f32,
    bound: f32,
    reserved: u32,
}

pub(super) fn decode_pictures(
    pictures: &[DecodePicture],
    bound: impl Fn(f32) -> f32,
) -> [PictureParams; MOST_PICTURES] {
    let mut params = [PictureParams::default(); MOST_PICTURES];
    for (params, picture) in params.iter_mut().zip(pictures) {
        // Compared with the batch's size before.
        let item = u32::try_from(picture.item).unwrap_or(u32::MAX);
        *params = PictureParams {
            item,
            threshold: picture.threshold,
            bound: bound(picture.threshold),
            reserved: 0,
        };
    }
    params
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct YunetLevel {
    pub classes: u64,
    pub objects: u64,
    pub boxes: u64,
    pub points: u64,
    pub cells: u32,
    pub columns: u32,
    pub step_x: f32,
    pub step_y: f32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct YunetParams {
    pub table: Table,
    pub level: [YunetLevel; 3],
    pub picture: [PictureParams; MOST_PICTURES],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct SsdParams {
    pub table: Table,
    pub boxes: u64,
    pub scores: u64,
    pub count: u32,
    pub reserved: u32,
    pub picture: [PictureParams; MOST_PICTURES],
}

/// `NmsParams`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Nms {
    table: Table,
    sorted: u64,
    overlap: u64,
    results: u64,
    pictures: u32,
    most: u32,
    iou: f32,
    reserved: u32,
}

// SAFETY: the same structs as in yunet.cu, ssd.cu and nms.cu; the addresses are of memory that is as large as the kernels take it
// to be (`Room`, `Bound`).
unsafe impl Params for YunetParams {}
// SAFETY: as above.
unsafe impl Params for SsdParams {}
// SAFETY: as above.
unsafe impl Params for Nms {}

/// Bytes per picture of what lies between candidates and results.
pub(super) const SORTED_BYTES: usize = MOST_CANDIDATES * size_of::<Face>();
pub(super) const OVERLAP_BYTES: usize = MOST_CANDIDATES * WORDS * 4;

impl Nms {
    pub fn new(room: &Room, pictures: usize, suppression: Suppression) -> Self {
        Self {
            table: room.table,
            sorted: room.sorted,
            overlap: room.overlap,
            results: room.results,
            // At most MOST_PICTURES and MOST_CANDIDATES.
            pictures: pictures as u32,
            most: suppression.most as u32,
            iou: suppression.iou,
            reserved: 0,
        }
    }

    pub fn begin(&self, stream: &Stream) -> Result<()> {
        stream.gpu().launch(stream, NMS_BEGIN, [1, 1, 1], [self.pictures, 1, 1], self)
    }

    /// `cells`: candidates that a picture can have at most.
    pub fn suppress(&self, stream: &Stream, cells: usize) -> Result<()> {
        let cells = u32::try_from(cells).unwrap_or(u32::MAX);
        let rows = cells.min(MOST_CANDIDATES as u32);
        stream.gpu().launch(
            stream,
            NMS_RANK,
            [cells.div_ceil(BLOCK), self.pictures, 1],
            [BLOCK, 1, 1],
            self,
        )?;
        let words = WORDS as u32;
        stream.gpu().launch(
            stream,
            NMS_OVERLAPS,
            [1, rows.div_ceil(8), self.pictures],
            [words, 8, 1],
            self,
        )?;
        stream.gpu().launch(stream, NMS_KEEP, [self.pictures, 1, 1], [1, 1, 1], self)
    }
}
