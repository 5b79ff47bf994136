use super::Part;
use crate::{
    Result,
    cuda::{Gpu, Payload, Stream},
};

/// Brings pictures from a GPU's memory to the host, for a network that is not on a GPU. Its memory is used again, and wiped in
/// between.
#[derive(Default)]
pub(crate) struct Fetch {
    values: Vec<f32>,
    halves: Vec<u16>,
    /// In the context of the frames; they may change it.
    stream: Option<Stream>,
}

impl Fetch {
    /// The numbers of all `parts`, one after the other. Waits for the kernels that make them.
    pub(crate) fn bring(&mut self, parts: &[Part]) -> Result<&[f32]> {
        self.wipe();
        let count = parts.iter().map(Part::values).sum();
        self.values.resize(count, 0.0);
        let mut done = 0;
        for part in parts {
            let end = done + part.values();
            self.bring_part(part, done..end)?;
            done = end;
        }
        Ok(&self.values)
    }

    fn bring_part(&mut self, part: &Part, to: std::ops::Range<usize>) -> Result<()> {
        let buffer = part.memory.buffer()?;
        let Self { values, halves, stream } = self;
        let Some(values) = values.get_mut(to) else { return Ok(()) };
        let stream = stream_of(stream, buffer.gpu())?;
        stream.wait(part.memory.ready()?)?;
        if !part.memory.half() {
            return buffer.download(stream, part.offset(), values, Payload::Pixels);
        }
        halves.clear();
        halves.resize(values.len(), 0);
        buffer.download(stream, part.offset(), halves, Payload::Pixels)?;
        for (value, half) in values.iter_mut().zip(halves.iter()) {
            *value = single(*half);
        }
        Ok(())
    }

    /// Nothing of anybody's face stays in memory.
    pub(crate) fn wipe(&mut self) {
        self.values.fill(0.0);
        self.values.clear();
        self.halves.fill(0);
        self.halves.clear();
    }
}

fn stream_of<'a>(kept: &'a mut Option<Stream>, gpu: &Gpu) -> Result<&'a Stream> {
    let known = kept.take().filter(|stream| stream.gpu().is_same_context(gpu));
    let stream = match known {
        Some(stream) => stream,
        None => gpu.new_stream(false)?,
    };
    Ok(kept.insert(stream))
}

/// An IEEE 754 binary16 number as a binary32 one: exactly.
fn single(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let (exponent, mantissa) = (u32::from(half >> 10 & 0x1f), u32::from(half & 0x3ff));
    let magnitude = match exponent {
        // Below the smallest normal number of 16 bits: a multiple of 2⁻²⁴, which 32 bits hold.
        0 => (mantissa as f32 * 2_f32.powi(-24)).to_bits(),
        31 => 0x7f80_0000 | mantissa << 13,
        _ => (exponent + 112) << 23 | mantissa << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::single;

    #[test]
    fn halves_are_read_exactly() {
        let known = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0001, 2_f32.powi(-24)),
            (0x03ff, 1023.0 * 2_f32.powi(-24)),
            (0x0400, 2_f32.powi(-14)),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (half, value) in known {
            assert_eq!(single(half).to_bits(), f32::to_bits(value), "{half:#06x}");
        }
        assert!(single(0x7e00).is_nan());
    }
}
