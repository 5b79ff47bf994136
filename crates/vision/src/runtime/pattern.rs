use super::{LoadOptions, Tensor, load};
use crate::Result;
use std::path::Path;

/// Loads an ONNX file and runs it on `pictures` equal pictures that show nobody, so that its numbers can be compared with
/// recorded ones. Takes no pixels from the caller, hence no permit. Returns the outputs by name.
///
/// The picture: 3 x `side` x `side` values `((7x + 13y + 29c) * (x + 2y + 5) / 64) mod 256` for channel c, row y, column x,
/// divided in whole numbers; not normalised.
///
/// # Errors
/// The file is missing or damaged, ONNX Runtime cannot be opened, or the size is one that the network does not take.
pub fn run_on_pattern(file: &Path, side: usize, pictures: usize) -> Result<Vec<(String, Tensor)>> {
    let network = load(file, &LoadOptions::default())?.network;
    let mut outputs = Vec::new();
    network.run(&[pictures, 3, side, side], &pattern(side).repeat(pictures), &mut outputs)?;
    Ok(network.describe().outputs.iter().map(|port| port.name.clone()).zip(outputs).collect())
}

fn pattern(side: usize) -> Vec<f32> {
    let rows = (0..3).flat_map(|c| (0..side).map(move |y| (c, y)));
    let value =
        |c: usize, y: usize, x: usize| ((7 * x + 13 * y + 29 * c) * (x + 2 * y + 5) / 64 % 256) as f32;
    rows.flat_map(|(c, y)| (0..side).map(move |x| value(c, y, x))).collect()
}
