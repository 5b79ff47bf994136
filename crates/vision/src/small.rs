//! A frame made small for a network, in whichever memory the frame lies.

use crate::{
    Result, View,
    cuda::{
        CudaFrame, Workspace,
        picture::{self, PictureJob},
    },
    model::Pictures,
    on_gpu::{Part, Shell, aligned, bytes_of_value},
    pool::Pool,
    preprocess::{Picture, Placement},
    spec::InputSpec,
};

/// Pictures of one frame, made together. Their memory is used again, and wiped in between.
#[derive(Default)]
pub(crate) struct Small {
    pictures: Vec<One>,
    on_gpu: bool,
    /// Where the pictures of a frame on a GPU are.
    shell: Shell,
}

#[derive(Default)]
struct One {
    /// Of a frame in the computer's memory.
    picture: Picture,
    placement: Placement,
    /// In the memory on the GPU.
    offset: usize,
    bytes: usize,
}

impl Small {
    /// Makes a picture for each placement, in place of those that were. On a GPU this is enqueued on the frame's stream; the
    /// thread does not wait. `half`: whether pictures there have 16-bit numbers; `kernels`: what kernels work in.
    pub(crate) fn make(
        &mut self,
        view: &View,
        placements: impl Iterator<Item = Placement> + Clone,
        input: &InputSpec,
        half: bool,
        kernels: &Pool<Workspace>,
    ) -> Result<()> {
        self.pictures.resize_with(placements.clone().count(), One::default);
        for (one, placement) in self.pictures.iter_mut().zip(placements) {
            one.placement = placement;
        }
        self.on_gpu = matches!(view, View::Cuda(_));
        match view {
            View::Host(frame) => {
                self.pictures.iter_mut().for_each(|one| one.picture.make(frame, &one.placement, input));
                Ok(())
            }
            View::Cuda(frame) => {
                let made = self.make_on_gpu(frame, input, half, kernels);
                made.inspect_err(|_| self.shell.clear())
            }
        }
    }

    fn make_on_gpu(
        &mut self,
        frame: &CudaFrame,
        input: &InputSpec,
        half: bool,
        kernels: &Pool<Workspace>,
    ) -> Result<()> {
        let mut bytes = 0;
        for one in &mut self.pictures {
            (one.offset, one.bytes) = (bytes, one.placement.values() * bytes_of_value(half));
            bytes += aligned(one.bytes);
        }
        self.shell.take(frame.gpu(), bytes, half)?;
        let stream = frame.stream();
        let job = |one: &One| {
            let out = self.shell.target(one.offset)?;
            Ok(PictureJob { frame, placement: one.placement, input, half, out })
        };
        let timed = stream.stage("shrink");
        let mut workspace = kernels.take();
        let launched = match self.pictures.as_slice() {
            [one] => job(one).and_then(|one| picture::launch(stream, &[one], &mut workspace)),
            // In one launch.
            [one, two] => job(one).and_then(|one| picture::launch(stream, &[one, job(two)?], &mut workspace)),
            many => many.iter().try_for_each(|one| picture::launch(stream, &[job(one)?], &mut workspace)),
        };
        workspace.forget_pixels();
        kernels.give_back(workspace);
        drop(timed);
        launched?;
        self.shell.filled(stream.record()?)
    }

    pub(crate) fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Where picture `index` shows what.
    pub(crate) fn placement(&self, index: usize) -> Placement {
        self.pictures.get(index).map_or_else(Placement::default, |one| one.placement)
    }

    /// Picture `index`, where it lies on a GPU.
    pub(crate) fn part(&self, index: usize) -> Option<Part> {
        let one = self.pictures.get(index).filter(|_| self.on_gpu)?;
        self.shell.part(one.offset, 1, one.bytes)
    }

    /// Hands picture `index` to `look`, in whichever memory it lies.
    pub(crate) fn with<T>(&self, index: usize, look: impl FnOnce(Pictures) -> T) -> T {
        match self.part(index) {
            Some(part) => look(Pictures::Gpu(&[part])),
            None => look(Pictures::Host(self.pictures.get(index).map_or(&[], |one| one.picture.values()))),
        }
    }

    /// Gives memory on a GPU back. The programme's picture need not be wiped.
    pub(crate) fn let_go(&mut self) {
        self.shell.clear();
    }

    /// Nothing of anybody's face stays in memory.
    pub(crate) fn wipe(&mut self) {
        if !self.on_gpu {
            self.pictures.iter_mut().for_each(|one| one.picture.wipe());
        }
        self.shell.clear();
    }
}
