//! 16-bit floating-point numbers, IEEE 754 binary16.

/// Rounded to the nearest, ties to even; beyond 65504 infinite.
pub fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    // From the middle between 65504 and the next one.
    if magnitude >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Below the smallest normal number: adding 0.5 puts what is left of the mantissa into the lowest bits, rounded.
        let rounded = f32::from_bits(magnitude) + 0.5;
        return sign | (rounded.to_bits() - 0.5_f32.to_bits()) as u16;
    }
    let odd = magnitude >> 13 & 1;
    sign | ((magnitude - 0x3800_0000 + 0xfff + odd) >> 13) as u16
}

#[cfg(test)]
mod tests {
    use super::from_f32;

    /// Exactly: every binary16 number is a binary32 one.
    fn to_f32(half: u16) -> f32 {
        let (exponent, mantissa) = (i32::from(half >> 10 & 0x1f), f32::from(half & 0x3ff));
        let magnitude = match exponent {
            0 => mantissa * 2_f32.powi(-24),
            31 => {
                if mantissa == 0.0 {
                    f32::INFINITY
                } else {
                    f32::NAN
                }
            }
            _ => (1024.0 + mantissa) * 2_f32.powi(exponent - 25),
        };
        if half & 0x8000 == 0 { magnitude } else { -magnitude }
    }

    #[test]
    fn every_half_is_itself_and_between_two_the_nearer_is_taken_and_of_two_as_near_the_even_one() {
        for half in 0..0x7c00_u16 {
            let (low, high) = (to_f32(half), to_f32(half + 1).min(65536.0));
            assert_eq!(from_f32(low), half);
            assert_eq!(from_f32(-low), half | 0x8000);
            let middle = (low + high) / 2.0;
            let even = if half % 2 == 0 { half } else { half + 1 };
            assert_eq!(from_f32(middle), even, "{middle}");
            assert_eq!(from_f32(middle.next_down()), half);
            assert_eq!(from_f32(middle.next_up()), half + 1);
        }
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY, 1e30].map(from_f32), [0x7c00, 0xfc00, 0x7c00]);
        assert!(to_f32(from_f32(f32::NAN)).is_nan());
    }
}
