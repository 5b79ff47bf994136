// A picture in device memory, in any layout, and its colours. Mirrors cuda/table.rs.
#pragma once
#include "common.cuh"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// One component: where its first sample is, and bytes from a row and from a sample to the next. Two samples' addresses
// may be more than 2^31 bytes apart.
struct Component {
  u64 address;
  u64 row_stride;
  u64 pixel_stride;
  u32 shift_x, shift_y;  // subsampling by powers of two
};

enum Color { COLOR_RGB = 0, COLOR_YUV = 1, COLOR_GRAY = 2 };

struct Frame {
  Component components[3];
  float black[3];       // sample values of black
  float conversion[6];  // luma offset and gain; shares of V in R, of U and V in G, of U in B
  u32 color;
  u32 wide;  // samples have 16 bits, little endian, and count 1/256
  u32 unused;
};
static_assert(sizeof(Component) == 32 && sizeof(Frame) == 144, "cuda/table.rs has the same");

struct Rgb {
  float r, g, b;
};

// Components that differ: 1 for grey.
__device__ __forceinline__ u32 components_of(const Frame& frame) { return frame.color == COLOR_GRAY ? 1 : 3; }

// The sample at a column and a row of the component's own, 0..=255 (up to 255.996 of 16 bits).
__device__ __forceinline__ float sample(const Component& c, u32 wide, u32 column, u32 row) {
  u64 address = c.address + row * c.row_stride + column * c.pixel_stride;
  if (wide) return (float)__ldg((const u16*)address) * (1.f / 256.f);
  return (float)__ldg((const u8*)address);
}

// Samples of one pixel to R, G, B, 0..=255.
__device__ __forceinline__ Rgb to_rgb(const Frame& frame, float a, float b, float c) {
  if (frame.color == COLOR_GRAY) return {a, a, a};
  if (frame.color == COLOR_RGB) return {a, b, c};
  const float* k = frame.conversion;
  float y = (a - k[0]) * k[1], u = b - 128.f, v = c - 128.f;
  float r = y + k[2] * v, g = y + k[3] * u + k[4] * v, blue = y + k[5] * u;
  return {fminf(fmaxf(r, 0.f), 255.f), fminf(fmaxf(g, 0.f), 255.f), fminf(fmaxf(blue, 0.f), 255.f)};
}
