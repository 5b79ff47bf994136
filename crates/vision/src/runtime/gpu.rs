//! What a network on a GPU can do beyond [`Network::run`](super::Network::run): take its input from device memory and leave
//! its outputs there.

use crate::{
    Result,
    cuda::{Gpu, Stream},
};

/// A network whose inputs and outputs lie in a GPU's memory.
pub trait GpuNetwork: Send + Sync {
    /// Takes the network for one run or several; who else wants it waits until the session is dropped.
    ///
    /// # Errors
    /// The network has failed before for good: its device was lost.
    fn session(&self) -> Result<Box<dyn GpuSession + '_>>;
    /// Whether the input is of 16-bit floating-point numbers (IEEE binary16) rather than of 32-bit ones. Outputs are of 32 bits
    /// always.
    fn half_input(&self) -> bool;
    /// The GPU, with the context that the network's memory belongs to: the device's primary one.
    fn gpu(&self) -> &Gpu;
}

/// A network that is one's own while this lives.
///
/// To be called in this order, as often as wanted: [`input`](Self::input), kernels on [`stream`](Self::stream) that write it,
/// [`run`](Self::run), kernels on the same stream that read [`outputs`](Self::outputs).
pub trait GpuSession {
    /// The network's own stream: kernels that are put here run in order with it.
    fn stream(&self) -> &Stream;
    /// Where the input of this shape ([N, 3, height, width], or as the network has it) is to be written, without gaps: a device
    /// address, the same for the same shape as long as the network lives. N may be any number; the memory has room for more.
    ///
    /// # Errors
    /// The network does not take this shape, or the GPU's memory is full.
    fn input(&mut self, shape: &[usize]) -> Result<u64>;
    /// Runs the network on what the last call of [`input`](Self::input) is for. The outputs are there for whatever is put on the
    /// stream next; the host may read them only after waiting for the stream.
    ///
    /// # Errors
    /// The runtime failed, or there was no input.
    fn run(&mut self) -> Result<()>;
    /// What the last run put out, in the order of [`Description::outputs`](super::Description::outputs); empty before the first.
    fn outputs(&self) -> &[GpuTensor];
}

/// 32-bit floating-point numbers in device memory, without gaps. Valid until the session's next run or input, or its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuTensor {
    /// Device address; 0 where there are no numbers.
    pub address: u64,
    /// The first dimension counts pictures.
    pub shape: Vec<usize>,
}

impl GpuTensor {
    /// How many numbers.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}
