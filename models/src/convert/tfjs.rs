//! TensorFlow.js weights: a JSON list of names and shapes, and one file with the numbers one after the other, as `f32`,
//! as half-precision numbers or as bytes with a scale and a minimum.

use super::{ConvertError, Tensor, Weights, tensor::count};
use serde::Deserialize;

#[derive(Deserialize)]
struct Group {
    weights: Vec<Entry>,
    paths: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantisation>,
}

#[derive(Deserialize)]
struct Quantisation {
    dtype: String,
    /// Of bytes.
    scale: Option<f64>,
    min: Option<f64>,
}

/// A graph model's file, of which only the weights matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GraphModel {
    weights_manifest: Vec<Group>,
}

/// Reads weights from the text of a `…-weights_manifest.json` or a graph model's `.json`, and the bytes of its one `.bin`
/// file.
///
/// A byte `q` stands for `q * scale + min` in `f32`; whole-number weights are then rounded, as the original does.
pub fn read(manifest: &[u8], bytes: &[u8]) -> Result<Weights, ConvertError> {
    let groups: Vec<Group> = if manifest.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice(manifest).map(|model: GraphModel| model.weights_manifest)
    } else {
        serde_json::from_slice(manifest)
    }
    .map_err(ConvertError::Manifest)?;
    let [group] = groups.as_slice() else {
        return Err(ConvertError::Unsupported(format!("{} groups of weights, expected 1", groups.len())));
    };
    if group.paths.len() != 1 {
        return Err(ConvertError::Unsupported(format!("{} weight files, expected 1", group.paths.len())));
    }
    let mut weights = Weights::default();
    let mut rest = bytes;
    for entry in &group.weights {
        let data = entry.take(&mut rest)?;
        weights.insert(&entry.name, Tensor::new(entry.shape.clone(), data)?)?;
    }
    if !rest.is_empty() {
        return Err(ConvertError::Leftover(rest.len()));
    }
    Ok(weights)
}

impl Entry {
    /// Takes this entry's numbers off the front of `rest`.
    fn take(&self, rest: &mut &[u8]) -> Result<Vec<f32>, ConvertError> {
        let stored = self.quantization.as_ref().map_or(self.dtype.as_str(), |q| q.dtype.as_str());
        let (width, decode): (usize, Decode) = match (stored, &self.quantization) {
            ("uint8", Some(Quantisation { scale: Some(scale), min: Some(min), .. })) => {
                #[expect(clippy::cast_possible_truncation, reason = "the original computes in f32")]
                let (scale, min) = (*scale as f32, *min as f32);
                (1, Box::new(move |b| f32::from(b[0]) * scale + min))
            }
            ("float16", Some(_)) => (2, Box::new(|b| half(u16::from_le_bytes([b[0], b[1]])))),
            ("float32", None) => (4, Box::new(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
            // Axes and the like: small numbers, exact in `f32`.
            #[expect(clippy::cast_precision_loss, reason = "axes and sizes are small")]
            ("int32", None) => (4, Box::new(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32)),
            (other, _) => {
                return Err(ConvertError::Unsupported(format!(
                    "weight \"{}\" is stored as {other}",
                    self.name
                )));
            }
        };
        let length = count(&self.shape).and_then(|n| n.checked_mul(width));
        let (head, tail) = length
            .and_then(|length| rest.split_at_checked(length))
            .ok_or_else(|| ConvertError::Truncated { name: self.name.clone(), left: rest.len() })?;
        *rest = tail;
        let real = head.chunks_exact(width).map(decode);
        Ok(if self.dtype == "int32" { real.map(f32::round_ties_even).collect() } else { real.collect() })
    }
}

/// From a number's bytes, as many as it has.
type Decode = Box<dyn Fn(&[u8]) -> f32>;

/// A half-precision number (IEEE 754 binary16), exactly.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 0x1f, bits & 0x3ff);
    let magnitude = match exponent {
        0 => f32::from(fraction) * 2.0_f32.powi(-24),
        0x1f if fraction == 0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1.0 + f32::from(fraction) / 1024.0) * 2.0_f32.powi(i32::from(exponent) - 15),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"[{"paths":["w.bin"],"weights":[
        {"name":"a","shape":[2,2],"dtype":"float32","quantization":{"dtype":"uint8","scale":0.5,"min":-1.0}},
        {"name":"b","shape":[1],"dtype":"float32"},
        {"name":"c","shape":[],"dtype":"int32","quantization":{"dtype":"uint8","scale":1,"min":2}}]}]"#;
    const BYTES: [u8; 9] = [0, 1, 2, 255, 0, 0, 0x80, 0x3f, 40];

    #[test]
    fn bytes_become_numbers() {
        let weights = read(MANIFEST.as_bytes(), &BYTES).unwrap();
        assert_eq!(weights.get("a", 2).unwrap().data(), [-1.0, -0.5, 0.0, 126.5]);
        assert_eq!(weights.vector("b", 1).unwrap().data(), [1.0]);
        assert_eq!(weights.get("c", 0).unwrap().data(), [42.0]);
    }

    #[test]
    fn half_precision_numbers_are_exact() {
        let pairs = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
        ];
        for (bits, value) in pairs {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan() && half(0x8000).is_sign_negative());
    }

    #[test]
    fn a_graph_models_file_has_the_list_inside_it() {
        let list = r#"[{"paths":["w.bin"],"weights":[
            {"name":"h","shape":[2],"dtype":"float32","quantization":{"dtype":"float16","original_dtype":"float32"}},
            {"name":"axes","shape":[2],"dtype":"int32"}]}]"#;
        let model = format!(r#"{{"format":"graph-model","modelTopology":{{}},"weightsManifest":{list}}}"#);
        let bytes = [0, 0x3c, 0, 0xc0, 1, 0, 0, 0, 2, 0, 0, 0];
        let weights = read(model.as_bytes(), &bytes).unwrap();
        assert_eq!(weights.get("h", 1).unwrap().data(), [1.0, -2.0]);
        assert_eq!(weights.get("axes", 1).unwrap().data(), [1.0, 2.0]);
    }

    #[test]
    fn every_truncation_is_refused_and_named() {
        for length in 0..BYTES.len() {
            let error = read(MANIFEST.as_bytes(), &BYTES[..length]).unwrap_err();
            assert!(matches!(error, ConvertError::Truncated { .. }), "{length} bytes: {error}");
        }
        let mut longer = BYTES.to_vec();
        longer.push(0);
        assert!(matches!(read(MANIFEST.as_bytes(), &longer), Err(ConvertError::Leftover(1))));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let with = |from: &str, to: &str| read(MANIFEST.replace(from, to).as_bytes(), &BYTES).unwrap_err();
        assert!(matches!(with("uint8", "uint16"), ConvertError::Unsupported(_)));
        assert!(matches!(with("\"w.bin\"", "\"w.bin\",\"x.bin\""), ConvertError::Unsupported(_)));
        assert!(matches!(with("[2,2]", "[18446744073709551615,2]"), ConvertError::Truncated { .. }));
        assert!(matches!(with("\"b\"", "\"a\""), ConvertError::Twice(_)));
        assert!(matches!(read(b"[{", &BYTES), Err(ConvertError::Manifest(_))));
        assert!(matches!(read(b"[]", &BYTES), Err(ConvertError::Unsupported(_))));
        let mut nan = BYTES;
        nan[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(matches!(read(MANIFEST.as_bytes(), &nan), Err(ConvertError::NotFinite(_))));
    }
}
