use super::{ConvertError, Tensor};
use std::collections::BTreeMap;

/// A network's weights by name, and the only way to ask for one: with the shape it must have.
#[derive(Debug, Default)]
pub struct Weights(BTreeMap<String, Tensor>);

impl Weights {
    /// Refuses a name that is already there and numbers that are not finite.
    pub fn insert(&mut self, name: &str, tensor: Tensor) -> Result<(), ConvertError> {
        if tensor.data().iter().any(|v| !v.is_finite()) {
            return Err(ConvertError::NotFinite(name.to_owned()));
        }
        if self.0.insert(name.to_owned(), tensor).is_some() {
            return Err(ConvertError::Twice(name.to_owned()));
        }
        Ok(())
    }

    /// The tensor of this name and number of dimensions.
    pub fn get(&self, name: &str, rank: usize) -> Result<&Tensor, ConvertError> {
        let tensor = self.0.get(name).ok_or_else(|| ConvertError::Missing(name.to_owned()))?;
        if tensor.shape().len() != rank {
            return Err(ConvertError::Shape {
                name: name.to_owned(),
                expected: format!("{rank} dimensions"),
                found: tensor.shape().to_vec(),
            });
        }
        Ok(tensor)
    }

    /// The vector of this name with this many numbers.
    pub fn vector(&self, name: &str, len: usize) -> Result<&Tensor, ConvertError> {
        let tensor = self.get(name, 1)?;
        if tensor.shape() != [len] {
            return Err(ConvertError::Shape {
                name: name.to_owned(),
                expected: format!("[{len}]"),
                found: tensor.shape().to_vec(),
            });
        }
        Ok(tensor)
    }
}
