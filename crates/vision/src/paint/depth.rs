/// Bits of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    Eight,
    /// Little endian, value / 256 (P010).
    Sixteen,
}
