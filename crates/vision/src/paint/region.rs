//! A region as it is painted: whole cells, a grid of blocks, and how much is painted where.

/// Regions that are painted together. The limit is what fits a kernel's parameters; more are painted in turns, on every
/// device alike.
pub(crate) const MOST_REGIONS: usize = 48;

/// Lies in the kernels' parameters as it is (`PaintRegion` in paint.cu).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub(crate) struct Region {
    /// In cells, inside the picture.
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
    /// Cells of a block.
    pub block_x: u32,
    pub block_y: u32,
    /// Blocks across and down.
    pub grid_x: u32,
    pub grid_y: u32,
    /// Where the region's means begin in the table; components follow one another.
    pub means: u32,
    /// 1 of an ellipse, 0 of a rectangle.
    pub ellipse: u32,
    /// The whole region in pixels, also outside the picture: middle, and half its width and height.
    pub centre_x: f32,
    pub centre_y: f32,
    pub half_x: f32,
    pub half_y: f32,
    /// 1 / pixels over which it fades out; 0: it ends at once.
    pub fade: f32,
    pub reserved: u32,
}

impl Region {
    /// Whether a cell lies in its part of the picture.
    fn has(&self, cell_x: u32, cell_y: u32) -> bool {
        cell_x.wrapping_sub(self.x) < self.width && cell_y.wrapping_sub(self.y) < self.height
    }

    /// How much of a cell is painted, 0 to 1, by how far inside the edge its middle lies.
    pub fn coverage(&self, cell_x: u32, cell_y: u32, cell_shifts: (u32, u32)) -> f32 {
        if !self.has(cell_x, cell_y) {
            return 0.0;
        }
        let x = (cell_x as f32 + 0.5) * (1_u32 << cell_shifts.0) as f32 - self.centre_x;
        let y = (cell_y as f32 + 0.5) * (1_u32 << cell_shifts.1) as f32 - self.centre_y;
        let inside = if self.ellipse == 1 {
            let (across, down) = (x / self.half_x, y / self.half_y);
            (1.0 - (across * across + down * down).sqrt()) * self.half_x.min(self.half_y)
        } else {
            (self.half_x - x.abs()).min(self.half_y - y.abs())
        };
        if inside <= 0.0 {
            0.0
        } else if self.fade > 0.0 {
            (inside * self.fade).min(1.0)
        } else {
            1.0
        }
    }

    /// Entries in the table of means.
    pub fn entries(&self, components: usize) -> usize {
        self.grid_x as usize * self.grid_y as usize * components
    }
}

/// The means of one component of a region.
pub(super) struct Grid<'a> {
    means: &'a [f32],
    across: i32,
    down: i32,
}

impl<'a> Grid<'a> {
    pub fn new(region: &Region, means: &'a [f32], component: usize) -> Self {
        let of_one = region.entries(1);
        let means = &means[region.means as usize + component * of_one..][..of_one];
        Self { means, across: region.grid_x as i32, down: region.grid_y as i32 }
    }

    /// The mean of a block; the nearest one beyond the edge.
    pub fn at(&self, x: i32, y: i32) -> f32 {
        let (x, y) = (x.clamp(0, self.across - 1), y.clamp(0, self.down - 1));
        self.means[(y * self.across + x) as usize]
    }

    /// The means interpolated by a quadratic B-spline, at a place in blocks from the region's corner.
    pub fn smooth(&self, across: f32, down: f32) -> f32 {
        let (x, y) = (across.floor(), down.floor());
        let (weights_x, weights_y) = (spline(across - x - 0.5), spline(down - y - 0.5));
        let mut sum = 0.0;
        for (dy, weight_y) in (-1..=1).zip(weights_y) {
            let mut row = 0.0;
            for (dx, weight_x) in (-1..=1).zip(weights_x) {
                row += weight_x * self.at(x as i32 + dx, y as i32 + dy);
            }
            sum += weight_y * row;
        }
        sum
    }
}

/// Weights of the block before, the block itself and the block after, `offset` (-0.5 to 0.5) blocks from its middle.
fn spline(offset: f32) -> [f32; 3] {
    let (before, after) = (0.5 - offset, 0.5 + offset);
    [0.5 * before * before, 0.75 - offset * offset, 0.5 * after * after]
}
