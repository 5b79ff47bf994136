//! Reading a detector's outputs where they lie: on the GPU, so that only the boxes that stay come to the host.
//!
//! Gives what [`crate::decode`] gives for the same outputs: the same faces in the same order, confidences and points included,
//! and the same errors. Boxes of YuNet hold an exponential, which GPU and CPU round differently (2 units in the last
//! place): where two boxes overlap by just the limit, one may stay here that goes there.
//!
//! | launch | threads | what it does |
//! |---|---|---|
//! | `nms_begin` | picture | sets the counters |
//! | `yunet_candidates`, `ssd_candidates` | cell or box | confidence, threshold, box; takes a slot in the table |
//! | `nms_rank` | slot | counts the surer ones, and goes to that place if it is among the first 1000 |
//! | `nms_overlaps` | 32 pairs | one bit for each pair that overlaps by more than the limit |
//! | `nms_keep` | picture | from the surest down: keeps, and rules out what overlaps |
//!
//! The table has room for every cell, so that a network gone wild loses nothing but what the CPU leaves out too: all
//! beyond the 1000 surest.

mod buffers;
mod network;
mod params;

pub use buffers::DecodeBuffers;
pub use params::MOST_PICTURES;

use crate::{
    Error, Rect, Result,
    cuda::{Gpu, GpuFailure, Stream, sources},
    decode::{Detection, Outputs, checked, ssd_face::SsdFace, yunet::Yunet},
    runtime::{Description, GpuTensor},
    spec::{Decoder, ModelSpec},
};
use buffers::Header;
use network::Network;

/// Which picture of a batch is to be decoded, and down to which confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecodePicture {
    /// Its number in the batch.
    pub item: usize,
    /// As of [`crate::decode::DetectionDecoder::candidates`].
    pub threshold: f32,
}

/// What is left out of the candidates: see [`crate::decode::Candidates::suppress`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suppression {
    /// Of boxes that overlap by more, the surest stays.
    pub iou: f32,
    /// Boxes that stay at most, 0 to 1000.
    pub most: usize,
}

/// A detector's outputs, bound to a decoder on the GPU.
pub struct DeviceDecoder {
    model: String,
    network: Network,
}

impl DeviceDecoder {
    /// `None` for networks that are decoded on the host alone (all but [`Decoder::Yunet`] and [`Decoder::SsdFace`]), and where the
    /// outputs do not fit, which [`crate::decode::detector`] reports: their outputs have to be downloaded.
    pub fn bind(spec: &ModelSpec, network: &Description) -> Option<Self> {
        let outputs = Outputs { spec, network };
        let network = match spec.decoder {
            Decoder::Yunet => Network::Yunet(Yunet::bind(&outputs).ok()?),
            Decoder::SsdFace => Network::Ssd(SsdFace::bind(&outputs).ok()?),
            _ => return None,
        };
        Some(Self { model: spec.name.clone(), network })
    }

    /// Compiles and loads the kernels, which can take a second: to be called before the first picture.
    ///
    /// # Errors
    /// As [`Gpu::prepare`].
    pub fn prepare(&self, gpu: &Gpu) -> Result<()> {
        gpu.prepare(&sources::NMS)?;
        gpu.prepare(match self.network {
            Network::Yunet(_) => &sources::YUNET,
            Network::Ssd(_) => &sources::SSD,
        })
    }

    /// Puts the decoding of `pictures` on `stream`, behind the network that writes `outputs`; does not wait. `size`: width and
    /// height of the network's input. What `buffers` held before is forgotten; [`DeviceDecoder::read`] gives the faces.
    ///
    /// # Errors
    /// [`Error::Shape`] if the outputs do not belong to such an input, or the batch has no such picture; [`Error::Gpu`].
    pub fn enqueue(
        &self,
        stream: &Stream,
        outputs: &[GpuTensor],
        pictures: &[DecodePicture],
        size: (usize, usize),
        suppression: Suppression,
        buffers: &mut DecodeBuffers,
    ) -> Result<()> {
        buffers.forget();
        if pictures.is_empty() {
            return Ok(());
        }
        if pictures.len() > MOST_PICTURES || suppression.most > params::MOST_CANDIDATES {
            return Err(Error::Gpu {
                failure: GpuFailure::Other,
                problem: format!("{} pictures and {} faces at once", pictures.len(), suppression.most),
                remedy: format!("at most {MOST_PICTURES} and {} are possible", params::MOST_CANDIDATES),
            });
        }
        let bound = self.network.bound(&self.model, outputs, pictures, size)?;
        let room = buffers.room(stream.gpu(), pictures.len(), bound.cells(), suppression.most)?;
        let nms = params::Nms::new(&room, pictures.len(), suppression);
        nms.begin(stream)?;
        bound.launch(stream, &room.table, pictures)?;
        nms.suppress(stream, bound.cells())?;
        buffers.fetch(stream)
    }

    /// The faces of the `nth` of the pictures, most confident first, as fractions of the input. Waits for the GPU where it is
    /// not done.
    ///
    /// # Errors
    /// [`Error::Inference`] if a score of that picture is no number or no probability; [`Error::Gpu`] if the GPU failed, or
    /// there is no such picture.
    pub fn read<'a>(&self, buffers: &'a mut DecodeBuffers, nth: usize) -> Result<&'a [Detection]> {
        let points = matches!(self.network, Network::Yunet(_));
        buffers.take(nth, |header, faces, found| {
            self.check(header)?;
            let faces = faces.iter().take(header.kept as usize);
            found.extend(faces.map(|face| Detection {
                bounds: Rect::new(face.x, face.y, face.width, face.height),
                confidence: face.confidence,
                points: points.then(|| std::array::from_fn(|i| (face.points[2 * i], face.points[2 * i + 1]))),
            }));
            Ok(())
        })
    }

    fn check(&self, header: &Header) -> Result<()> {
        match header.bad() {
            None => Ok(()),
            Some((index, score)) => {
                let output = self.network.output_with(index);
                checked(&self.model, &output, score).map(|_| ())
            }
        }
    }
}
