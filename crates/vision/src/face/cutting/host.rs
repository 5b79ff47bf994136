use super::{Cutter, For, NETWORKS};
use crate::{
    Frame,
    face::{
        attributes::picture_len,
        portrait::mirror,
        quality::{self, Hindrance},
    },
    preprocess::{Cut, CutScratch},
    spec::InputSpec,
};

/// Pictures of one frame's faces in the computer's memory. A picture is as long as its network's input; its mirror image
/// follows it.
#[derive(Default)]
pub(in crate::face) struct HostCrops {
    /// By network.
    values: [Vec<f32>; NETWORKS],
    memory: CutScratch,
}

impl HostCrops {
    pub(in crate::face) fn of(&self, network: For) -> &[f32] {
        &self.values[network.index()]
    }

    /// To go back to with [`HostCrops::shorten`] where a face turns out not to be worth a look.
    pub(in crate::face) fn lengths(&self) -> [usize; NETWORKS] {
        self.values.each_ref().map(Vec::len)
    }
    pub(in crate::face) fn shorten(&mut self, lengths: [usize; NETWORKS]) {
        for (values, length) in self.values.iter_mut().zip(lengths) {
            wipe_from(values, length);
        }
    }
}

/// Nothing of anybody's face stays in memory.
fn wipe_from(pictures: &mut Vec<f32>, start: usize) {
    pictures.iter_mut().skip(start).for_each(|value| *value = 0.0);
    pictures.truncate(start);
}

/// Copies faces out of a frame.
pub(in crate::face) struct HostCutter<'a> {
    pub(in crate::face) frame: &'a Frame<'a>,
    pub(in crate::face) crops: &'a mut HostCrops,
}

impl Cutter for HostCutter<'_> {
    fn frame(&self) -> (u32, u32) {
        (self.frame.width(), self.frame.height())
    }

    fn pictures(&self, network: For, input: &InputSpec) -> usize {
        self.crops.of(network).len() / picture_len(input)
    }

    fn add(&mut self, network: For, input: &InputSpec, cut: &Cut) -> Option<()> {
        let HostCrops { values, memory } = &mut *self.crops;
        let values = &mut values[network.index()];
        let (start, length) = (values.len(), picture_len(input));
        values.resize(start + 2 * length, 0.0);
        let (picture, mirrored) = values.get_mut(start..)?.split_at_mut(length);
        if !cut.write(self.frame, input, memory, picture) {
            return None;
        }
        mirrored.copy_from_slice(picture);
        mirror(mirrored, input.width as usize, input.layout);
        Some(())
    }

    fn judge(
        &mut self,
        network: For,
        input: &InputSpec,
        margin: Option<f32>,
        _view: Hindrance,
    ) -> Option<Hindrance> {
        let (values, length) = (self.crops.of(network), picture_len(input));
        let last = values.len().checked_sub(2 * length).and_then(|start| values.get(start..start + length));
        Some(quality::of_picture(last.unwrap_or_default(), input, margin))
    }
}
