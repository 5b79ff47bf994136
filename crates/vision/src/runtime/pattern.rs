use super::{Description, LoadOptions, Network, Notice, Tensor, load};
use crate::Result;
use std::{path::Path, sync::Arc};

/// A network and pictures that show nobody, so that its numbers can be compared with recorded ones, and its speed measured.
/// Takes no pixels from the caller, hence no permit.
///
/// The picture: 3 x height x width values `((7x + 13y + 29c) * (x + 2y + 5) / 64) mod 256` for channel c, row y, column x,
/// divided in whole numbers; not normalised.
pub struct PatternRun {
    network: Arc<dyn Network>,
    note: Option<String>,
    shape: [usize; 4],
    values: Vec<f32>,
    outputs: Vec<Tensor>,
}

impl PatternRun {
    /// Loads an ONNX file, to be run on `pictures` equal square pictures at once.
    ///
    /// # Errors
    /// The file is missing or damaged, no runtime can be opened, or the device cannot start.
    pub fn load(options: &LoadOptions, file: &Path, side: usize, pictures: usize) -> Result<Self> {
        Self::load_sized(options, file, (side, side), pictures)
    }

    /// The same with pictures of a width and height.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_sized(
        options: &LoadOptions,
        file: &Path,
        (width, height): (usize, usize),
        pictures: usize,
    ) -> Result<Self> {
        let shape = [pictures, 3, height, width];
        let loaded = load(file, options, &shape)?;
        let values = pattern(width, height).repeat(pictures);
        Ok(Self { network: loaded.network, note: loaded.note, shape, values, outputs: Vec::new() })
    }

    pub fn describe(&self) -> &Description {
        self.network.describe()
    }
    /// Why it is not on the wanted device.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// What became known of the network while it ran, from number `seen` on.
    pub fn notices(&self, seen: &mut u64) -> Vec<Notice> {
        self.network.notices().map_or_else(Vec::new, |notices| notices.since(seen))
    }

    /// The outputs, in the order of the description's.
    ///
    /// # Errors
    /// The size is one that the network does not take, or the runtime failed.
    pub fn run(&mut self) -> Result<&[Tensor]> {
        self.network.run(&self.shape, &self.values, &mut self.outputs)?;
        Ok(&self.outputs)
    }
}

/// Loads a network where it runs best and runs it once on pictures of a width and height, see [`PatternRun`]. Returns the
/// outputs by name.
///
/// # Errors
/// As [`PatternRun::load`] and [`PatternRun::run`].
pub fn run_on_pattern(file: &Path, size: (usize, usize), pictures: usize) -> Result<Vec<(String, Tensor)>> {
    let mut run = PatternRun::load_sized(&LoadOptions::default(), file, size, pictures)?;
    run.run()?;
    let names = run.network.describe().outputs.iter().map(|port| port.name.clone());
    Ok(names.zip(run.outputs).collect())
}

fn pattern(width: usize, height: usize) -> Vec<f32> {
    let rows = (0..3).flat_map(|c| (0..height).map(move |y| (c, y)));
    let value =
        |c: usize, y: usize, x: usize| ((7 * x + 13 * y + 29 * c) * (x + 2 * y + 5) / 64 % 256) as f32;
    rows.flat_map(|(c, y)| (0..width).map(move |x| value(c, y, x))).collect()
}
