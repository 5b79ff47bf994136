//! Faces of a frame in a GPU's memory: planned on the streaming thread, cut by one launch for all faces and networks, and
//! judged there too. Only the scalars that judging takes come to the host, and the worker waits for them.

use super::{Cutter, For, NETWORKS};
use crate::{
    Result,
    cuda::{
        CudaFrame, Workspace,
        crop::{self, CropJob},
        quality::{self, QualityJob, Readings},
    },
    face::{buffers::FaceCrops, quality::Hindrance},
    on_gpu::{Part, Shell, picture_bytes},
    pool::Pool,
    preprocess::Cut,
    spec::InputSpec,
};
use std::ops::Range;

/// Pictures of one frame's faces in a GPU's memory: by network, in the order in which they were planned, each followed by its
/// mirror image.
#[derive(Default)]
pub(in crate::face) struct GpuCrops {
    shells: [Shell; NETWORKS],
    counts: [usize; NETWORKS],
    /// Bytes of a picture, by network.
    bytes: [usize; NETWORKS],
    plan: Plan,
    readings: Readings,
    /// First picture of each face for age and gender; as many as faces.
    stored: Vec<usize>,
    /// Whether what the pictures tell is still to come.
    unsettled: bool,
    /// Empty, for their memory.
    crop_jobs: Vec<CropJob<'static>>,
    quality_jobs: Vec<QualityJob<'static>>,
}

/// What is to be made.
#[derive(Default)]
struct Plan {
    pictures: Vec<Planned>,
    judged: Vec<Judged>,
}

struct Planned {
    network: For,
    at: usize,
    cut: Cut,
}

/// One of each face.
struct Judged {
    network: For,
    at: usize,
    margin: Option<f32>,
    view: Hindrance,
}

impl GpuCrops {
    /// To go back to with [`GpuCrops::shorten`].
    pub(in crate::face) fn lengths(&self) -> ([usize; NETWORKS], usize, usize) {
        (self.counts, self.plan.pictures.len(), self.plan.judged.len())
    }
    pub(in crate::face) fn shorten(&mut self, (counts, pictures, judged): ([usize; NETWORKS], usize, usize)) {
        self.counts = counts;
        self.plan.pictures.truncate(pictures);
        self.plan.judged.truncate(judged);
    }

    /// Enqueues what was planned on the frame's stream. The thread does not wait. `inputs`: of the networks, and whether they
    /// take 16-bit numbers.
    pub(in crate::face) fn enqueue(
        &mut self,
        frame: &CudaFrame,
        inputs: [Option<(&InputSpec, bool)>; NETWORKS],
        faces: &[FaceCrops],
        kernels: &Pool<Workspace>,
    ) -> Result<()> {
        self.stored.clear();
        self.stored.extend(faces.iter().map(|face| face.age.start));
        self.unsettled = !faces.is_empty();
        if faces.is_empty() {
            return Ok(());
        }
        for (number, input) in inputs.iter().enumerate() {
            let Some((input, half)) = input.filter(|_| self.counts[number] > 0) else { continue };
            self.bytes[number] = picture_bytes(input, half);
            self.shells[number].take(frame.gpu(), self.counts[number] * self.bytes[number], half)?;
        }
        let timed = frame.stream().stage("cut");
        let mut workspace = kernels.take();
        let launched = self.launch(frame, inputs, &mut workspace);
        workspace.forget_pixels();
        kernels.give_back(workspace);
        drop(timed);
        launched?;
        for number in 0..NETWORKS {
            if self.counts[number] > 0 {
                self.shells[number].filled(frame.stream().record()?)?;
            }
        }
        Ok(())
    }

    fn launch(
        &mut self,
        frame: &CudaFrame,
        inputs: [Option<(&InputSpec, bool)>; NETWORKS],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let Self { shells, bytes, plan, readings, crop_jobs, quality_jobs, .. } = self;
        let of = |network: For, at: usize| {
            let number = network.index();
            let (input, half) = inputs[number]?;
            Some(shells[number].target(at * bytes[number]).map(|target| (input, half, target)))
        };
        let mut crops: Vec<CropJob> = std::mem::take(crop_jobs);
        for Planned { network, at, cut } in &plan.pictures {
            let Some(place) = of(*network, *at) else { continue };
            let (input, half, out) = place?;
            crops.push(CropJob { frame, cut: *cut, input, half, mirror: true, out });
        }
        let cut = crop::launch(frame.stream(), &crops, workspace);
        *crop_jobs = emptied(crops, |_| None);
        cut?;
        let mut jobs: Vec<QualityJob> = std::mem::take(quality_jobs);
        for Judged { network, at, margin, .. } in &plan.judged {
            let Some(place) = of(*network, *at) else { continue };
            let (input, half, picture) = place?;
            jobs.push(QualityJob { picture, half, input, margin: *margin });
        }
        let judged = quality::launch(frame.stream(), &jobs, workspace, readings);
        *quality_jobs = emptied(jobs, |_| None);
        judged
    }

    /// Worker: waits for what the pictures tell, and leaves out of `faces` those that are seen too badly to say anything:
    /// their pictures are shown to no network.
    pub(in crate::face) fn settle(&mut self, faces: &mut Vec<FaceCrops>) -> Result<()> {
        if !std::mem::take(&mut self.unsettled) {
            return Ok(());
        }
        let Self { plan, readings, stored, .. } = self;
        let mut index = 0;
        let read = readings.read(|clarity| {
            if let (Some(face), Some(judged)) = (faces.get_mut(index), plan.judged.get(index)) {
                let hindrance = judged.view.and(clarity.hindrance());
                face.quality = if hindrance.is_passable() { hindrance.quality() } else { f32::NAN };
            }
            index += 1;
        });
        if read.is_err() {
            // Whose quality is unknown is not looked at.
            faces.clear();
        }
        let mut kept = faces.iter().map(|face| !face.quality.is_nan());
        stored.retain(|_| kept.next().unwrap_or(false));
        faces.retain(|face| !face.quality.is_nan());
        // Networks see the pictures of those who are left one after the other.
        let mut first = 0;
        for face in faces {
            face.age = first..first + face.age.len();
            first = face.age.end;
        }
        read
    }

    /// The pictures for age and gender of `faces`, the first of those that are left.
    pub(in crate::face) fn age(&self, number: usize, faces: &[FaceCrops], parts: &mut Vec<Part>) {
        parts.clear();
        let Some(all) = self.all(For::Age(number)) else { return };
        for (face, first) in faces.iter().zip(&self.stored) {
            add(parts, &all, *first..*first + face.age.len());
        }
    }

    /// Some of the pictures for expression.
    pub(in crate::face) fn expression(&self, pictures: &[usize], parts: &mut Vec<Part>) {
        parts.clear();
        let Some(all) = self.all(For::Expression) else { return };
        for picture in pictures {
            add(parts, &all, *picture..*picture + 1);
        }
    }

    fn all(&self, network: For) -> Option<Part> {
        let number = network.index();
        self.shells[number].part(0, self.counts[number], self.bytes[number])
    }

    /// Gives the memory back, which wipes it.
    pub(in crate::face) fn clear(&mut self) {
        self.shells.iter_mut().for_each(Shell::clear);
        self.shorten(([0; NETWORKS], 0, 0));
        self.stored.clear();
        self.unsettled = false;
    }
}

/// Adds pictures behind those that are there: in one piece with them, where they follow.
fn add(parts: &mut Vec<Part>, all: &Part, pictures: Range<usize>) {
    if pictures.is_empty() {
        return;
    }
    let more = all.some(pictures);
    if !parts.last_mut().is_some_and(|last| last.join(&more)) {
        parts.push(more);
    }
}

/// The memory of jobs that are done, for those of another frame: collecting in place keeps it.
fn emptied<T, U>(mut jobs: Vec<T>, none: impl FnMut(T) -> Option<U>) -> Vec<U> {
    jobs.clear();
    jobs.into_iter().filter_map(none).collect()
}

/// Plans what is to be cut out of a frame.
pub(in crate::face) struct Planner<'a> {
    pub(in crate::face) frame: (u32, u32),
    pub(in crate::face) crops: &'a mut GpuCrops,
}

impl Cutter for Planner<'_> {
    fn frame(&self) -> (u32, u32) {
        self.frame
    }

    fn pictures(&self, network: For, _input: &InputSpec) -> usize {
        self.crops.counts[network.index()]
    }

    fn add(&mut self, network: For, _input: &InputSpec, cut: &Cut) -> Option<()> {
        let GpuCrops { counts, plan, .. } = &mut *self.crops;
        let count = &mut counts[network.index()];
        plan.pictures.push(Planned { network, at: *count, cut: *cut });
        *count += 2;
        Some(())
    }

    fn judge(
        &mut self,
        network: For,
        _input: &InputSpec,
        margin: Option<f32>,
        view: Hindrance,
    ) -> Option<Hindrance> {
        let at = self.crops.counts[network.index()].saturating_sub(2);
        self.crops.plan.judged.push(Judged { network, at, margin, view });
        None
    }
}
