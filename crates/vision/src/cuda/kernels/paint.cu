// Obscuring regions of a picture and drawing on it, in the picture's own format. The reference is crates/vision/src/paint:
// same steps, same arithmetic, same bytes.
//
// A region takes whole cells (the pixels that share a chroma sample); one thread does a cell with all its samples. Where regions
// overlap, the thread of the first one does the cell with all regions in their order, so that nothing depends on the order
// in which threads run.
#include "common.cuh"

#define PAINT_MOST 48
#define PAINT_BLUR 0
#define PAINT_PIXELATE 1
#define PAINT_FILL 2

struct PaintComponent {
  unsigned long long address;
  unsigned long long row_stride;
  unsigned long long pixel_stride;
  unsigned int shift_x, shift_y;
};

struct PaintFrame {
  PaintComponent component[3];
  unsigned int components;
  unsigned int width, height;
  // Binary logarithms of a cell's sides.
  unsigned int cell_x, cell_y;
  // 1: samples of 16 bits, little endian, of which the upper 10 count.
  unsigned int sixteen;
};

// Region of paint/region.rs.
struct PaintRegion {
  unsigned int x, y, width, height;
  unsigned int block_x, block_y;
  unsigned int grid_x, grid_y;
  unsigned int means;
  unsigned int ellipse;
  float centre_x, centre_y;
  float half_x, half_y;
  float fade;
  unsigned int reserved;
};

struct ObscureParams {
  PaintFrame frame;
  PaintRegion region[PAINT_MOST];
  // unsigned long long and float, one for each block of each component.
  unsigned long long sums;
  unsigned long long means;
  unsigned int entries;
  unsigned int regions;
  unsigned int effect;
  float fill[3];
};

__device__ static inline unsigned int paint_least(unsigned int a, unsigned int b) { return a < b ? a : b; }

// Samples that a component has along a side of this many pixels.
__device__ static inline unsigned int paint_samples(unsigned int length, unsigned int shift) {
  return (length + (1u << shift) - 1u) >> shift;
}

__device__ static inline unsigned char* paint_at(const PaintComponent* c, unsigned int x, unsigned int y) {
  return (unsigned char*)c->address + (unsigned long long)y * c->row_stride + (unsigned long long)x * c->pixel_stride;
}

__device__ static inline unsigned int paint_raw(const PaintFrame* f, unsigned int component, unsigned int x, unsigned int y) {
  const unsigned char* at = paint_at(&f->component[component], x, y);
  return f->sixteen ? (unsigned int)at[0] | (unsigned int)at[1] << 8 : (unsigned int)at[0];
}

__device__ static inline float paint_get(const PaintFrame* f, unsigned int component, unsigned int x, unsigned int y) {
  const float raw = (float)paint_raw(f, component, x, y);
  return f->sixteen ? raw * (1.0f / 256.0f) : raw;
}

__device__ static inline void paint_set(const PaintFrame* f, unsigned int component, unsigned int x, unsigned int y, float value) {
  unsigned char* at = paint_at(&f->component[component], x, y);
  if (f->sixteen) {
    const unsigned int bits = (unsigned int)fminf(fmaxf(value * 4.0f + 0.5f, 0.0f), 1023.0f) << 6;
    at[0] = (unsigned char)(bits & 255u);
    at[1] = (unsigned char)(bits >> 8);
  } else {
    at[0] = (unsigned char)fminf(fmaxf(value + 0.5f, 0.0f), 255.0f);
  }
}

KERNEL(paint_clear, ObscureParams) {
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < p.entries) ((unsigned long long*)p.sums)[i] = 0ull;
}

// x: rows of samples times blocks across; y: component; z: region.
KERNEL(paint_sums, ObscureParams) {
  const unsigned int component = blockIdx.y;
  const PaintRegion* r = &p.region[blockIdx.z];
  const PaintComponent* c = &p.frame.component[component];
  const unsigned int scale_x = p.frame.cell_x - c->shift_x, scale_y = p.frame.cell_y - c->shift_y;
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned int row = i / r->grid_x, block_x = i % r->grid_x;
  const unsigned int y = (r->y << scale_y) + row;
  if (row >= (r->height << scale_y) || y >= paint_samples(p.frame.height, c->shift_y)) return;
  const unsigned int first = r->x + block_x * r->block_x;
  const unsigned int after = paint_least(first + r->block_x, r->x + r->width);
  const unsigned int end = paint_least(after << scale_x, paint_samples(p.frame.width, c->shift_x));
  unsigned long long sum = 0;
  for (unsigned int x = first << scale_x; x < end; x++) sum += paint_raw(&p.frame, component, x, y);
  const unsigned int block_y = (row >> scale_y) / r->block_y;
  const unsigned int entry = r->means + (component * r->grid_y + block_y) * r->grid_x + block_x;
  atomicAdd(&((unsigned long long*)p.sums)[entry], sum);
}

// x: blocks; y: component; z: region.
KERNEL(paint_means, ObscureParams) {
  const unsigned int component = blockIdx.y;
  const PaintRegion* r = &p.region[blockIdx.z];
  const PaintComponent* c = &p.frame.component[component];
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= r->grid_x * r->grid_y) return;
  const unsigned int scale_x = p.frame.cell_x - c->shift_x, scale_y = p.frame.cell_y - c->shift_y;
  const unsigned int block_x = i % r->grid_x, block_y = i / r->grid_x;
  const unsigned int left = r->x + block_x * r->block_x, top = r->y + block_y * r->block_y;
  const unsigned int right = paint_least(left + r->block_x, r->x + r->width);
  const unsigned int bottom = paint_least(top + r->block_y, r->y + r->height);
  const unsigned int columns = paint_least(right << scale_x, paint_samples(p.frame.width, c->shift_x)) - (left << scale_x);
  const unsigned int rows = paint_least(bottom << scale_y, paint_samples(p.frame.height, c->shift_y)) - (top << scale_y);
  const unsigned int entry = r->means + component * r->grid_x * r->grid_y + i;
  const unsigned long long count = (unsigned long long)columns * rows;
  const double sum = (double)((const unsigned long long*)p.sums)[entry];
  const float mean = (float)(sum / (double)count);
  ((float*)p.means)[entry] = p.frame.sixteen ? mean * (1.0f / 256.0f) : mean;
}

__device__ static inline float paint_coverage(const PaintFrame* f, const PaintRegion* r, unsigned int cell_x, unsigned int cell_y) {
  if (cell_x - r->x >= r->width || cell_y - r->y >= r->height) return 0.0f;
  const float x = ((float)cell_x + 0.5f) * (float)(1u << f->cell_x) - r->centre_x;
  const float y = ((float)cell_y + 0.5f) * (float)(1u << f->cell_y) - r->centre_y;
  float inside;
  if (r->ellipse == 1u) {
    const float across = x / r->half_x, down = y / r->half_y;
    inside = (1.0f - sqrtf(across * across + down * down)) * fminf(r->half_x, r->half_y);
  } else {
    inside = fminf(r->half_x - fabsf(x), r->half_y - fabsf(y));
  }
  if (inside <= 0.0f) return 0.0f;
  return r->fade > 0.0f ? fminf(inside * r->fade, 1.0f) : 1.0f;
}

__device__ static inline int paint_within(int at, int length) { return at < 0 ? 0 : (at >= length ? length - 1 : at); }

__device__ static inline float paint_mean(const float* means, const PaintRegion* r, int x, int y) {
  return means[paint_within(y, (int)r->grid_y) * (int)r->grid_x + paint_within(x, (int)r->grid_x)];
}

// The quadratic B-spline's weight of the block before (-1), the block (0), or the one after (1).
__device__ static inline float paint_spline(float offset, int which) {
  if (which == 0) return 0.75f - offset * offset;
  const float side = which < 0 ? 0.5f - offset : 0.5f + offset;
  return 0.5f * side * side;
}

// Where a sample lies, in blocks from the region's corner.
__device__ static inline float paint_place(unsigned int at, unsigned int own, unsigned int start, unsigned int block, unsigned int cell) {
  const float pixel = ((float)at + 0.5f) * (float)(1u << own) - (float)(start << cell);
  return pixel / (float)(block << cell);
}

__device__ static inline float paint_value(const ObscureParams* p, const PaintRegion* r, unsigned int component, unsigned int x, unsigned int y) {
  if (p->effect == PAINT_FILL) return p->fill[component];
  const PaintComponent* c = &p->frame.component[component];
  const float across = paint_place(x, c->shift_x, r->x, r->block_x, p->frame.cell_x);
  const float down = paint_place(y, c->shift_y, r->y, r->block_y, p->frame.cell_y);
  const float* means = (const float*)p->means + r->means + component * r->grid_x * r->grid_y;
  const float left = floorf(across), top = floorf(down);
  if (p->effect == PAINT_PIXELATE) return paint_mean(means, r, (int)left, (int)top);
  const float offset_x = across - left - 0.5f, offset_y = down - top - 0.5f;
  float sum = 0.0f;
  for (int dy = -1; dy <= 1; dy++) {
    float row = 0.0f;
    for (int dx = -1; dx <= 1; dx++) row += paint_spline(offset_x, dx) * paint_mean(means, r, (int)left + dx, (int)top + dy);
    sum += paint_spline(offset_y, dy) * row;
  }
  return sum;
}

// x, y: cells of the region; z: region.
KERNEL(paint_obscure, ObscureParams) {
  const unsigned int index = blockIdx.z;
  const PaintRegion* own = &p.region[index];
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x, j = blockIdx.y * blockDim.y + threadIdx.y;
  if (i >= own->width || j >= own->height) return;
  const unsigned int cell_x = own->x + i, cell_y = own->y + j;
  if (paint_coverage(&p.frame, own, cell_x, cell_y) <= 0.0f) return;
  for (unsigned int earlier = 0; earlier < index; earlier++)
    if (paint_coverage(&p.frame, &p.region[earlier], cell_x, cell_y) > 0.0f) return;
  for (unsigned int component = 0; component < p.frame.components; component++) {
    const PaintComponent* c = &p.frame.component[component];
    const unsigned int scale_x = p.frame.cell_x - c->shift_x, scale_y = p.frame.cell_y - c->shift_y;
    const unsigned int right = paint_least((cell_x + 1u) << scale_x, paint_samples(p.frame.width, c->shift_x));
    const unsigned int bottom = paint_least((cell_y + 1u) << scale_y, paint_samples(p.frame.height, c->shift_y));
    for (unsigned int y = cell_y << scale_y; y < bottom; y++) {
      for (unsigned int x = cell_x << scale_x; x < right; x++) {
        float value = paint_get(&p.frame, component, x, y);
        for (unsigned int k = index; k < p.regions; k++) {
          const float covered = paint_coverage(&p.frame, &p.region[k], cell_x, cell_y);
          if (covered <= 0.0f) continue;
          const float changed = paint_value(&p, &p.region[k], component, x, y);
          value = covered >= 1.0f ? changed : value + (changed - value) * covered;
        }
        paint_set(&p.frame, component, x, y, value);
      }
    }
  }
}

// A bitmap (address not 0) or an area of one colour, which is multiplied by its alpha.
struct PaintItem {
  unsigned long long address;
  unsigned long long stride;
  int x, y;
  unsigned int width, height;
  float color[4];
  // 1: blue, green, red, alpha.
  unsigned int order;
  unsigned int reserved;
};

struct DrawParams {
  PaintFrame frame;
  PaintItem item[PAINT_MOST];
  // Rows of R, G, B and a constant.
  float matrix[12];
  unsigned int items;
  unsigned int reserved;
};

// Colour of an item on a pixel, alpha last.
__device__ static inline void paint_color(const PaintItem* item, unsigned int x, unsigned int y, float* color) {
  const long long across = (long long)x - item->x, down = (long long)y - item->y;
  if (across < 0 || down < 0 || across >= item->width || down >= item->height) return;
  if (item->address == 0ull) {
    for (int i = 0; i < 4; i++) color[i] += item->color[i];
    return;
  }
  const unsigned char* at = (const unsigned char*)item->address + (unsigned long long)down * item->stride + (unsigned long long)across * 4ull;
  color[0] += (float)at[item->order == 1u ? 2 : 0];
  color[1] += (float)at[1];
  color[2] += (float)at[item->order == 1u ? 0 : 2];
  color[3] += (float)at[3];
}

// Whether an item has a part of a cell that is in the picture.
__device__ static inline int paint_touches(const PaintFrame* f, const PaintItem* item, unsigned int cell_x, unsigned int cell_y) {
  if (item->width == 0u || item->height == 0u) return 0;
  const long long left = (long long)cell_x << f->cell_x, top = (long long)cell_y << f->cell_y;
  const unsigned int right = paint_least((cell_x + 1u) << f->cell_x, f->width), bottom = paint_least((cell_y + 1u) << f->cell_y, f->height);
  return item->x < (long long)right && left < (long long)item->x + item->width && item->y < (long long)bottom &&
         top < (long long)item->y + item->height;
}

// x, y: cells of the item's part inside the picture; z: item.
KERNEL(paint_draw, DrawParams) {
  const unsigned int index = blockIdx.z;
  const PaintItem* own = &p.item[index];
  const unsigned int first_x = (own->x > 0 ? (unsigned int)own->x : 0u) >> p.frame.cell_x;
  const unsigned int first_y = (own->y > 0 ? (unsigned int)own->y : 0u) >> p.frame.cell_y;
  const unsigned int cell_x = first_x + blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned int cell_y = first_y + blockIdx.y * blockDim.y + threadIdx.y;
  if (cell_x >= paint_samples(p.frame.width, p.frame.cell_x) || cell_y >= paint_samples(p.frame.height, p.frame.cell_y)) return;
  if (!paint_touches(&p.frame, own, cell_x, cell_y)) return;
  for (unsigned int earlier = 0; earlier < index; earlier++)
    if (paint_touches(&p.frame, &p.item[earlier], cell_x, cell_y)) return;
  for (unsigned int component = 0; component < p.frame.components; component++) {
    const PaintComponent* c = &p.frame.component[component];
    const float* m = &p.matrix[component * 4u];
    const unsigned int scale_x = p.frame.cell_x - c->shift_x, scale_y = p.frame.cell_y - c->shift_y;
    const unsigned int right = paint_least((cell_x + 1u) << scale_x, paint_samples(p.frame.width, c->shift_x));
    const unsigned int bottom = paint_least((cell_y + 1u) << scale_y, paint_samples(p.frame.height, c->shift_y));
    for (unsigned int y = cell_y << scale_y; y < bottom; y++) {
      for (unsigned int x = cell_x << scale_x; x < right; x++) {
        float value = paint_get(&p.frame, component, x, y);
        int drawn = 0;
        const unsigned int end_x = paint_least((x + 1u) << c->shift_x, p.frame.width);
        const unsigned int end_y = paint_least((y + 1u) << c->shift_y, p.frame.height);
        for (unsigned int k = index; k < p.items; k++) {
          if (!paint_touches(&p.frame, &p.item[k], cell_x, cell_y)) continue;
          float color[4] = {0.0f, 0.0f, 0.0f, 0.0f};
          float pixels = 0.0f;
          for (unsigned int py = y << c->shift_y; py < end_y; py++) {
            for (unsigned int px = x << c->shift_x; px < end_x; px++) {
              pixels += 1.0f;
              paint_color(&p.item[k], px, py, color);
            }
          }
          for (int i = 0; i < 4; i++) color[i] = color[i] / pixels;
          if (color[3] <= 0.0f) continue;
          const float share = color[3] / 255.0f;
          const float over = m[0] * color[0] + m[1] * color[1] + m[2] * color[2] + m[3] * share;
          value = value * (1.0f - share) + over;
          drawn = 1;
        }
        if (drawn) paint_set(&p.frame, component, x, y, value);
      }
    }
  }
}
