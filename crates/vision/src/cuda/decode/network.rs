//! A detector's outputs in device memory.

use super::{
    DecodePicture,
    params::{SsdParams, Table, YunetLevel, YunetParams, decode_pictures},
};
use crate::{
    Error, Result,
    cuda::Stream,
    decode::{ssd_face::SsdFace, wrong_size, yunet},
    runtime::GpuTensor,
    spec::Decoder,
};

/// Threads of a block.
const BLOCK: u32 = 128;

pub(super) enum Network {
    Yunet(yunet::Yunet),
    Ssd(SsdFace),
}

/// The outputs of one run, found and checked.
pub(super) enum Bound {
    Yunet([YunetLevel; 3]),
    Ssd { boxes: u64, scores: u64, count: u32 },
}

impl Network {
    /// # Errors
    /// [`Error::Shape`], as the decoders of the host say it.
    pub fn bound(
        &self,
        model: &str,
        outputs: &[GpuTensor],
        pictures: &[DecodePicture],
        (width, height): (usize, usize),
    ) -> Result<Bound> {
        let outputs = Outputs { outputs, last: pictures.iter().map(|p| p.item).max().unwrap_or(0) };
        match self {
            Self::Yunet(network) => {
                let mut levels = [YunetLevel::default(); 3];
                for ((stride, level), bound) in
                    yunet::STRIDES.into_iter().zip(network.levels).zip(&mut levels)
                {
                    let (columns, rows) = (width.div_ceil(stride), height.div_ceil(stride));
                    let cells = columns * rows;
                    let values = |output: usize, per_cell: usize| {
                        let (address, found) = outputs.of_picture(output);
                        if found == cells * per_cell && found > 0 {
                            return Ok(address);
                        }
                        let expected = format!("{per_cell} x {cells} (stride {stride} of {width}x{height})");
                        Err(wrong_size(model, Decoder::Yunet, &expected, found))
                    };
                    *bound = YunetLevel {
                        classes: values(level.class, 1)?,
                        objects: values(level.object, 1)?,
                        boxes: values(level.bounds, 4)?,
                        points: values(level.points, 10)?,
                        cells: number(cells, model)?,
                        columns: number(columns, model)?,
                        step_x: stride as f32 / width as f32,
                        step_y: stride as f32 / height as f32,
                    };
                }
                Ok(Bound::Yunet(levels))
            }
            Self::Ssd(network) => {
                let ((boxes, of_boxes), (scores, count)) =
                    (outputs.of_picture(network.boxes), outputs.of_picture(network.scores));
                if of_boxes != count * 4 || count == 0 {
                    let expected = format!("4 x {count} box");
                    return Err(wrong_size(model, Decoder::SsdFace, &expected, of_boxes));
                }
                Ok(Bound::Ssd { boxes, scores, count: number(count, model)? })
            }
        }
    }

    /// What the output is called that holds a score; `index` as the kernels tell it.
    pub fn output_with(&self, index: u32) -> String {
        match self {
            Self::Yunet(_) => {
                let stride = yunet::STRIDES.get(index as usize).copied().unwrap_or_default();
                format!("cls_{stride} or obj_{stride}")
            }
            Self::Ssd(_) => "scores".into(),
        }
    }
}

fn number(count: usize, model: &str) -> Result<u32> {
    u32::try_from(count).map_err(|_| Error::Inference {
        model: model.to_owned(),
        problem: format!("its outputs hold {count} boxes; a smaller detector size has fewer"),
    })
}

struct Outputs<'a> {
    outputs: &'a [GpuTensor],
    /// The last picture that is asked for.
    last: usize,
}

impl Outputs<'_> {
    /// An output's address, and how many numbers it has for each picture: 0 where it, or the last picture, is missing.
    fn of_picture(&self, output: usize) -> (u64, usize) {
        match self.outputs.get(output) {
            Some(tensor) if tensor.shape.first().is_some_and(|pictures| self.last < *pictures) => {
                (tensor.address, tensor.shape.iter().skip(1).product())
            }
            _ => (0, 0),
        }
    }
}

impl Bound {
    /// Boxes that one picture can have at most.
    pub fn cells(&self) -> usize {
        match self {
            Self::Yunet(levels) => levels.iter().map(|level| level.cells as usize).sum(),
            Self::Ssd { count, .. } => *count as usize,
        }
    }

    /// Fills the table.
    pub fn launch(&self, stream: &Stream, table: &Table, pictures: &[DecodePicture]) -> Result<()> {
        let cells = u32::try_from(self.cells()).unwrap_or(u32::MAX);
        // No more than MOST_PICTURES.
        let grid = [cells.div_ceil(BLOCK), pictures.len() as u32, 1];
        let block = [BLOCK, 1, 1];
        match self {
            Self::Yunet(levels) => {
                // The first look compares squares; see the decoder of the host.
                let bound = |threshold: f32| threshold * threshold * (1.0 - yunet::ROUNDING);
                let picture = decode_pictures(pictures, bound);
                let params = YunetParams { table: *table, level: *levels, picture };
                stream.gpu().launch(stream, super::params::YUNET, grid, block, &params)
            }
            Self::Ssd { boxes, scores, count } => {
                let picture = decode_pictures(pictures, |threshold| threshold);
                let (boxes, scores, count) = (*boxes, *scores, *count);
                let params = SsdParams { table: *table, boxes, scores, count, reserved: 0, picture };
                stream.gpu().launch(stream, super::params::SSD, grid, block, &params)
            }
        }
    }
}
