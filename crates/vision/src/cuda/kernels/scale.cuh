// From a part of a frame to a network's picture: the arithmetic of preprocess/reference and preprocess/warp.rs, operation
// for operation, so that both give the same numbers. Mirrors cuda/table.rs.
//
// An antialiased picture is made in three steps, each a launch: the weights of every output column and row (`weigh`); every
// row of samples scaled across (`scale_across`), which reads each sample twice; and from those the pixels
// (`write_pixel`). The other pictures need the last step only.
#pragma once
#include "frame.cuh"

// One direction of a placement, in pixels.
struct Side {
  double canvas;
  double step;        // of the canvas, per output pixel
  float single_step;  // the same in single precision
  u32 start, length;  // the region in the frame
  u32 offset;         // where it lies on the canvas
  u32 out;
  u32 whole;  // the canvas, rounded up
  u32 width;  // most weights of an output
  u32 unused;
};

enum Mode {
  BILINEAR = 0,
  BILINEAR_LEGACY = 1,
  ANTIALIAS = 2,
  UPRIGHT = 3,        // turned, out of the frame's own pixels
  UPRIGHT_SMALL = 4,  // turned, out of an antialiased picture
};

struct Job {
  Frame frame;
  Side columns, rows;  // of UPRIGHT: of the picture that is turned
  // Weights of columns and rows, each `out` first samples, counts and shares of black and then `width` times `out`
  // weights; and rows of each component scaled across. Modes with an antialiased picture only.
  u64 weights[2];
  u64 scaled[3];
  u64 out;
  u32 mode;
  u32 half, mirror, interleaved, reversed;  // 16-bit floats; a mirror image follows; NHWC; B, G, R
  u32 width, height;                        // of the network's picture
  float turn[4];                            // x' = a x - b y + x0, y' = b x + a y + y0
  float mean[3], scale[3];                  // in the tensor's order
  u32 unused;
};
static_assert(sizeof(Side) == 48 && sizeof(Job) == 360, "cuda/table.rs has the same");

__device__ __forceinline__ bool is_antialiased(const Job& job) {
  return job.mode == ANTIALIAS || job.mode == UPRIGHT_SMALL;
}

// --- Weights of the triangle filter --------------------------------------------------------------------------------

struct Weights {
  u32* first;  // in the frame
  u32* count;
  float* black;
  float* weights;  // the i-th of output o is weights[i * out + o]
};

__device__ __forceinline__ Weights weights_of(const Job& job, u32 direction) {
  u32 out = direction ? job.rows.out : job.columns.out;
  u32* at = (u32*)job.weights[direction];
  return {at, at + out, (float*)(at + 2 * (u64)out), (float*)(at + 3 * (u64)out)};
}

// Of a sample of the canvas, not yet divided by their sum.
__device__ __forceinline__ double triangle(u32 sample, double centre, double reach) {
  return fmax(1.0 - fabs(((double)sample + 0.5 - centre) / reach), 0.0);
}

__device__ __forceinline__ void weigh(const Job& job, u32 direction, u32 o) {
  const Side& side = direction ? job.rows : job.columns;
  Weights table = weights_of(job, direction);
  double reach = fmax(side.step, 1.0);
  double centre = ((double)o + 0.5) * side.step;
  u32 first = (u32)fmax(centre - reach + 0.5, 0.0);
  u32 end = min(max((u32)(centre + reach + 0.5), first + 1), max(side.whole, first + 1));
  u32 inside_first = min(max(first, side.offset), side.offset + side.length);
  u32 inside_end = max(min(end, side.offset + side.length), inside_first);
  double total = 0.0;
  for (u32 i = first; i < end; i++) total += triangle(i, centre, reach);
  total = fmax(total, 2.2250738585072014e-308);
  u32 count = min(inside_end - inside_first, side.width);
  float sum = 0.f;
  for (u32 i = 0; i < count; i++) {
    float weight = (float)(triangle(inside_first + i, centre, reach) / total);
    table.weights[(u64)i * side.out + o] = weight;
    sum += weight;
  }
  table.first[o] = side.start + inside_first - side.offset;
  table.count[o] = count;
  table.black[o] = inside_first != first || inside_end != end ? 1.f - sum : 0.f;
}

// --- Rows scaled across ----------------------------------------------------------------------------------------------

// Rows of a component that the region touches.
__device__ __forceinline__ u32 first_row(const Job& job, const Component& c) { return job.rows.start >> c.shift_y; }
__device__ __forceinline__ u32 row_count(const Job& job, const Component& c) {
  return ((job.rows.start + job.rows.length - 1) >> c.shift_y) - first_row(job, c) + 1;
}

__device__ __forceinline__ void scale_across(const Job& job, u32 component, u64 item) {
  const Component& c = job.frame.components[component];
  u32 out = job.columns.out;
  u64 row = item / out;
  if (row >= row_count(job, c)) return;
  u32 o = (u32)(item - row * out);
  Weights table = weights_of(job, 0);
  u32 first = table.first[o], count = table.count[o], held = 0xFFFFFFFFu;
  float sum = job.frame.black[component] * table.black[o], value = 0.f;
  for (u32 i = 0; i < count; i++) {
    // Neighbours share a sample of a subsampled component.
    u32 column = (first + i) >> c.shift_x;
    if (column != held) value = sample(c, job.frame.wide, column, first_row(job, c) + (u32)row);
    held = column;
    sum += value * table.weights[(u64)i * out + o];
  }
  ((float*)job.scaled[component])[item] = sum;
}

// --- Pixels ------------------------------------------------------------------------------------------------------------

// Two samples and a share of black.
struct TwoTap {
  u32 low, high;
  float low_weight, high_weight, black;
};

// In the frame, and whether the region has it.
__device__ __forceinline__ bool locate(const Side& side, u32 on_canvas, u32& in_frame) {
  bool inside = on_canvas >= side.offset && on_canvas - side.offset < side.length;
  in_frame = side.start + (inside ? on_canvas - side.offset : 0);
  return inside;
}

__device__ __forceinline__ TwoTap two_tap(const Side& side, u32 o, bool half_pixel) {
  u32 last = side.whole ? side.whole - 1 : 0;
  float position = (float)o * side.single_step;
  if (half_pixel) position = fminf(fmaxf(((float)o + 0.5f) * side.single_step - 0.5f, 0.f), (float)last);
  float floored = floorf(position), fraction = position - floored;
  TwoTap tap;
  bool low = locate(side, min((u32)floored, last), tap.low);
  bool high = locate(side, min((u32)ceilf(position), last), tap.high);
  tap.low_weight = low ? 1.f - fraction : 0.f;
  tap.high_weight = high ? fraction : 0.f;
  tap.black = low && high ? 0.f : 1.f - tap.low_weight - tap.high_weight;
  return tap;
}

__device__ __forceinline__ float between_four(const Frame& frame, u32 component, const TwoTap& x, const TwoTap& y) {
  const Component& c = frame.components[component];
  float black = frame.black[component];
  u32 left = x.low >> c.shift_x, right = x.high >> c.shift_x;
  float beside = black * x.black;
  float upper = 0.f, lower = 0.f;
  if (y.low_weight != 0.f || y.high_weight != 0.f) {
    u32 row = y.low >> c.shift_y;
    upper = sample(c, frame.wide, left, row) * x.low_weight + sample(c, frame.wide, right, row) * x.high_weight + beside;
    lower = upper;
  }
  u32 row = y.high >> c.shift_y;
  if (y.high_weight != 0.f && row != y.low >> c.shift_y)
    lower = sample(c, frame.wide, left, row) * x.low_weight + sample(c, frame.wide, right, row) * x.high_weight + beside;
  return upper * y.low_weight + lower * y.high_weight + black * y.black;
}

// A sample of the antialiased picture.
__device__ __forceinline__ float scale_down(const Job& job, u32 component, u32 column, u32 o) {
  const Component& c = job.frame.components[component];
  Weights table = weights_of(job, 1);
  u32 out = job.columns.out, first = table.first[o], count = table.count[o], held = 0xFFFFFFFFu;
  const float* scaled = (const float*)job.scaled[component] + column;
  float sum = job.frame.black[component] * table.black[o], value = 0.f;
  for (u32 i = 0; i < count; i++) {
    u32 row = (first + i) >> c.shift_y;
    if (row != held) value = scaled[(u64)(row - first_row(job, c)) * out];
    held = row;
    sum += value * table.weights[(u64)i * job.rows.out + o];
  }
  return sum;
}

// A pixel of the picture that is turned.
__device__ __forceinline__ Rgb upright_pixel(const Job& job, u32 x, u32 y) {
  float samples[3] = {0.f, 0.f, 0.f};
  u32 components = components_of(job.frame);
  if (job.mode == UPRIGHT_SMALL) {
    for (u32 i = 0; i < components; i++) samples[i] = scale_down(job, i, x, y);
  } else {
    u32 column, row;
    bool inside = locate(job.columns, x, column) & locate(job.rows, y, row);
    for (u32 i = 0; i < components; i++) {
      const Component& c = job.frame.components[i];
      samples[i] = inside ? sample(c, job.frame.wide, column >> c.shift_x, row >> c.shift_y) : job.frame.black[i];
    }
  }
  return to_rgb(job.frame, samples[0], samples[1], samples[2]);
}

__device__ __forceinline__ Rgb mixed(const Rgb& a, const Rgb& b, float part) {
  return {a.r + (b.r - a.r) * part, a.g + (b.g - a.g) * part, a.b + (b.b - a.b) * part};
}

// Between the four nearest pixels of the picture that is turned; beside it its nearest pixel.
__device__ __forceinline__ Rgb turned(const Job& job, u32 out_x, u32 out_y) {
  float u = (float)out_x + 0.5f, v = (float)out_y + 0.5f;
  float a = job.turn[0], b = job.turn[1];
  float x = a * u - b * v + job.turn[2], y = b * u + a * v + job.turn[3];
  u32 last_x = job.columns.out - 1, last_y = job.rows.out - 1;
  x = fminf(fmaxf(x - 0.5f, 0.f), (float)last_x);
  y = fminf(fmaxf(y - 0.5f, 0.f), (float)last_y);
  u32 left = (u32)x, top = (u32)y;
  u32 right = min(left + 1, last_x), below = min(top + 1, last_y);
  float part_x = x - (float)left, part_y = y - (float)top;
  Rgb upper = mixed(upright_pixel(job, left, top), upright_pixel(job, right, top), part_x);
  Rgb lower = mixed(upright_pixel(job, left, below), upright_pixel(job, right, below), part_x);
  return mixed(upper, lower, part_y);
}

__device__ __forceinline__ Rgb pixel_of(const Job& job, u32 x, u32 y) {
  if (job.mode == UPRIGHT || job.mode == UPRIGHT_SMALL) return turned(job, x, y);
  float samples[3] = {0.f, 0.f, 0.f};
  u32 components = components_of(job.frame);
  if (job.mode == ANTIALIAS) {
    for (u32 i = 0; i < components; i++) samples[i] = scale_down(job, i, x, y);
  } else {
    TwoTap across = two_tap(job.columns, x, job.mode == BILINEAR), down = two_tap(job.rows, y, job.mode == BILINEAR);
    for (u32 i = 0; i < components; i++) samples[i] = between_four(job.frame, i, across, down);
  }
  return to_rgb(job.frame, samples[0], samples[1], samples[2]);
}

__device__ __forceinline__ void store(const Job& job, u64 at, float value) {
  if (job.half)
    ((u16*)job.out)[at] = to_half(value);
  else
    ((float*)job.out)[at] = value;
}

// One pixel of the picture, and of its mirror image.
__device__ __forceinline__ void write_pixel(const Job& job, u64 item) {
  u64 pixels = (u64)job.width * job.height;
  if (item >= pixels) return;
  u32 y = (u32)(item / job.width), x = (u32)(item - (u64)y * job.width);
  Rgb rgb = pixel_of(job, x, y);
  float channels[3] = {job.reversed ? rgb.b : rgb.r, rgb.g, job.reversed ? rgb.r : rgb.b};
  u64 mirrored = (u64)y * job.width + (job.width - 1 - x);
  for (u32 i = 0; i < 3; i++) {
    float value = (channels[i] - job.mean[i]) * job.scale[i];
    store(job, job.interleaved ? item * 3 + i : i * pixels + item, value);
    if (job.mirror) store(job, 3 * pixels + (job.interleaved ? mirrored * 3 + i : i * pixels + mirrored), value);
  }
}
