//! Blur, pixelation and fill on the CPU: the reference of the kernels in paint.cu, which take the same steps.

use super::{Canvas, EffectCode, MOST_REGIONS, Obscuring, Region, Sampling, of_color, plan, region};
use crate::{Rect, Result};

/// Makes what is in `boxes` (pixels of the picture) unrecognisable. Nothing outside the boxes, grown by the margin and to whole
/// cells, changes. Boxes that are none, or lie outside the picture, are left out. Where boxes overlap, the later one is painted
/// over the earlier, each out of the colours of the picture as it was (of up to 48 boxes; further ones are painted after
/// those).
///
/// # Errors
/// [`crate::Error::Painting`]: a number of `how` out of its range; nothing was painted then.
pub fn obscure(canvas: &mut Canvas<'_, '_>, boxes: &[Rect], how: &Obscuring) -> Result<()> {
    how.check()?;
    let sampling = canvas.sampling();
    let fill = of_color(canvas.color(), how.fill());
    let (mut regions, mut means) = (Vec::new(), Vec::new());
    for boxes in boxes.chunks(MOST_REGIONS) {
        let entries = plan(&sampling, boxes, how, &mut regions);
        means.clear();
        if how.code() != EffectCode::Fill {
            means.reserve(entries);
            regions.iter().for_each(|region| measure(canvas, &sampling, region, &mut means));
        }
        let work = Work { sampling: &sampling, regions: &regions, means: &means, effect: how.code(), fill };
        (0..regions.len()).for_each(|index| work.paint(canvas, index));
    }
    Ok(())
}

/// Adds the means of a region's blocks.
fn measure(canvas: &Canvas<'_, '_>, sampling: &Sampling, region: &Region, means: &mut Vec<f32>) {
    let (cell_x, cell_y) = sampling.cell_shifts();
    let scale = if sampling.depth == crate::cuda::Depth::Sixteen { 1.0 / 256.0 } else { 1.0 };
    for (component, (own_x, own_y)) in sampling.shifts.into_iter().enumerate().take(sampling.components) {
        for block_y in 0..region.grid_y {
            let first = region.y + block_y * region.block_y;
            let cells = first..(first + region.block_y).min(region.y + region.height);
            let rows = Sampling::samples(cells, cell_y, own_y, sampling.height);
            for block_x in 0..region.grid_x {
                let first = region.x + block_x * region.block_x;
                let cells = first..(first + region.block_x).min(region.x + region.width);
                let columns = Sampling::samples(cells, cell_x, own_x, sampling.width);
                let count = rows.len() * columns.len();
                let row_sum =
                    |y: usize| columns.clone().map(|x| u64::from(canvas.raw(component, x, y))).sum::<u64>();
                let sum: u64 = rows.clone().map(row_sum).sum();
                // Whole numbers: the order in which threads add up does not matter.
                means.push((sum as f64 / count as f64) as f32 * scale);
            }
        }
    }
}

struct Work<'a> {
    sampling: &'a Sampling,
    regions: &'a [Region],
    means: &'a [f32],
    effect: EffectCode,
    fill: [f32; 3],
}

impl Work<'_> {
    /// Paints the cells of a region that no earlier region has, with every region that covers them.
    fn paint(&self, canvas: &mut Canvas<'_, '_>, index: usize) {
        let region = &self.regions[index];
        for cell_y in region.y..region.y + region.height {
            for cell_x in region.x..region.x + region.width {
                self.cell(canvas, index, cell_x, cell_y);
            }
        }
    }

    fn cell(&self, canvas: &mut Canvas<'_, '_>, index: usize, cell_x: u32, cell_y: u32) {
        let shifts = self.sampling.cell_shifts();
        let coverage = |region: &Region| region.coverage(cell_x, cell_y, shifts);
        if coverage(&self.regions[index]) <= 0.0
            || self.regions[..index].iter().any(|earlier| coverage(earlier) > 0.0)
        {
            return;
        }
        let all = self.sampling.shifts.into_iter().enumerate().take(self.sampling.components);
        for (component, (own_x, own_y)) in all {
            let rows = Sampling::samples(cell_y..cell_y + 1, shifts.1, own_y, self.sampling.height);
            let columns = Sampling::samples(cell_x..cell_x + 1, shifts.0, own_x, self.sampling.width);
            for y in rows {
                for x in columns.clone() {
                    let mut value = canvas.get(component, x, y);
                    for region in &self.regions[index..] {
                        let covered = coverage(region);
                        if covered > 0.0 {
                            let new = self.value(region, component, x, y, (own_x, own_y));
                            value = if covered >= 1.0 { new } else { value + (new - value) * covered };
                        }
                    }
                    canvas.set(component, x, y, value);
                }
            }
        }
    }

    /// What a sample becomes.
    fn value(&self, region: &Region, component: usize, x: usize, y: usize, own: (u8, u8)) -> f32 {
        if self.effect == EffectCode::Fill {
            return self.fill[component];
        }
        let (cell_x, cell_y) = self.sampling.cell_shifts();
        let place = |at: usize, own: u8, start: u32, block: u32, cell: u32| {
            let pixel = (at as f32 + 0.5) * (1_u32 << own) as f32 - (start << cell) as f32;
            pixel / (block << cell) as f32
        };
        let across = place(x, own.0, region.x, region.block_x, cell_x);
        let down = place(y, own.1, region.y, region.block_y, cell_y);
        let grid = region::Grid::new(region, self.means, component);
        match self.effect {
            EffectCode::Blur => grid.smooth(across, down),
            _ => grid.at(across.floor() as i32, down.floor() as i32),
        }
    }
}
