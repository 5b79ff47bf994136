use super::ConvertError;

/// Numbers with a shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Tensor {
    /// Fails where the shape does not hold exactly these numbers.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Result<Self, ConvertError> {
        if count(&shape) != Some(data.len()) {
            return Err(ConvertError::Count { shape, found: data.len() });
        }
        Ok(Self { shape, data })
    }

    pub fn vector(data: Vec<f32>) -> Self {
        Self { shape: vec![data.len()], data }
    }

    pub fn scalar(value: f32) -> Self {
        Self { shape: Vec::new(), data: vec![value] }
    }

    /// One number per channel, shaped to be added to or multiplied with [N,C,H,W].
    pub fn per_channel(data: Vec<f32>) -> Self {
        Self { shape: vec![1, data.len(), 1, 1], data }
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]` of this one.
    pub fn permuted(&self, order: &[usize]) -> Result<Self, ConvertError> {
        let rank = self.shape.len();
        let mut seen = vec![false; rank];
        let permutation = order.len() == rank
            && order.iter().all(|&axis| axis < rank && !std::mem::replace(&mut seen[axis], true));
        if !permutation {
            return Err(ConvertError::Rank { expected: order.len(), shape: self.shape.clone() });
        }
        let strides = strides(&self.shape);
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let steps: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
        let mut data = Vec::with_capacity(self.data.len());
        let mut index = vec![0; rank];
        for _ in 0..self.data.len() {
            data.push(self.data[index.iter().zip(&steps).map(|(i, step)| i * step).sum::<usize>()]);
            for axis in (0..rank).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(Self { shape, data })
    }

    /// Each slice along `axis` multiplied by its own factor.
    pub fn scaled_along(&self, axis: usize, factors: &[f32]) -> Result<Self, ConvertError> {
        if self.shape.get(axis) != Some(&factors.len()) {
            return Err(ConvertError::Rank { expected: axis + 1, shape: self.shape.clone() });
        }
        let inner: usize = self.shape[axis + 1..].iter().product::<usize>().max(1);
        let data =
            self.data.iter().enumerate().map(|(i, v)| v * factors[i / inner % factors.len()]).collect();
        Ok(Self { shape: self.shape.clone(), data })
    }
}

/// How many numbers a shape holds; `None` where that does not fit into memory.
pub fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))
}

/// Row-major strides, in elements.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_change_places() {
        let tensor = Tensor::new(vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let turned = tensor.permuted(&[1, 0]).unwrap();
        assert_eq!(turned.shape(), [3, 2]);
        assert_eq!(turned.data(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(turned.permuted(&[1, 0]).unwrap(), tensor);
        for order in [&[0, 0][..], &[0, 2], &[0], &[0, 1, 2]] {
            assert!(tensor.permuted(order).is_err(), "{order:?} is not an order of two axes");
        }
    }

    #[test]
    fn factors_apply_to_their_axis() {
        let tensor = Tensor::new(vec![2, 2, 1], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(tensor.scaled_along(0, &[10.0, 100.0]).unwrap().data(), [10.0, 20.0, 300.0, 400.0]);
        assert_eq!(tensor.scaled_along(1, &[10.0, 100.0]).unwrap().data(), [10.0, 200.0, 30.0, 400.0]);
        assert!(tensor.scaled_along(2, &[1.0, 1.0]).is_err());
        assert!(tensor.scaled_along(3, &[1.0]).is_err());
    }

    #[test]
    fn a_shape_must_hold_its_numbers() {
        assert!(Tensor::new(vec![2, 2], vec![0.0; 3]).is_err());
        assert!(Tensor::new(vec![usize::MAX, 2], vec![]).is_err());
        assert!(Tensor::new(vec![], vec![1.0]).is_ok());
    }
}
