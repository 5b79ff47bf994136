/// Numbers in rows: `data.len()` is the product of `shape`.
#[derive(Clone, Default, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

// May hold a picture of a person: only its shape is ever printed.
impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor{:?}", self.shape)
    }
}

impl Tensor {
    /// `None` if the shape's product is not the number of values.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Option<Self> {
        let count = shape.iter().try_fold(1_usize, |product, n| product.checked_mul(*n))?;
        (count == data.len()).then_some(Self { shape, data })
    }

    /// Gives it another shape and hands out its values, to be overwritten; what they are before that is not said. Keeps its
    /// memory: allocates only where it grows beyond what it has ever held. A shape too large to count is taken as empty.
    pub fn reshape(&mut self, shape: &[usize]) -> &mut [f32] {
        let count = shape.iter().try_fold(1_usize, |product, n| product.checked_mul(*n));
        self.shape.clear();
        self.shape.extend_from_slice(if count.is_some() { shape } else { &[0] });
        self.data.resize(count.unwrap_or(0), 0.0);
        &mut self.data
    }

    /// Becomes a copy of `pictures` pictures of `other`'s batch, from picture `first` on; of those that it has.
    pub(crate) fn copy_rows(&mut self, other: &Self, first: usize, pictures: usize) {
        let batch = other.shape.first().copied().unwrap_or(0);
        let size = other.data.len().checked_div(batch).unwrap_or(0);
        let (first, end) = (first.min(batch), (first + pictures).min(batch));
        let rows = other.data.get(first * size..end * size).unwrap_or_default();
        self.shape.clear();
        self.shape.extend_from_slice(&other.shape);
        if let Some(count) = self.shape.first_mut() {
            *count = end - first;
        }
        self.data.clear();
        self.data.extend_from_slice(rows);
    }

    /// Overwrites the values; shape and memory stay.
    pub(crate) fn wipe(&mut self) {
        self.data.fill(0.0);
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The values of picture `index` of the batch; empty if there is none.
    pub fn item(&self, index: usize) -> &[f32] {
        let batch = self.shape.first().copied().unwrap_or(0);
        if index >= batch {
            return &[];
        }
        let size = self.data.len() / batch;
        &self.data[index * size..(index + 1) * size]
    }
}
