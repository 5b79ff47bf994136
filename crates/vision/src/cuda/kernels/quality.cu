// How clearly cut pictures show their faces: brightness, burnt-out pixels and detail, summed on the device so that three
// numbers a picture go to the host. The arithmetic of face/quality/clarity.rs. Mirrors cuda/quality.rs.
#include "scale.cuh"

struct Judged {
  u64 values;  // the picture
  u64 sums;    // four 64-bit integers: brightness in 2^-20, burnt-out pixels, detail in 2^-20, sums that are no numbers
  u32 half;
  u32 block;                          // side of the blocks of pixels that count as one
  u32 left, top, columns, rows;       // what is judged, in blocks; there is one more on each side
  u32 step, plane, row;               // values from a pixel, a channel and a row of pixels to the next
  float weights[3], offset, burnt;    // brightness = Σ weight · value + offset; above `burnt` a pixel is burnt out
};
static_assert(sizeof(Judged) == 72, "cuda/quality.rs has the same");

struct QualityParams {
  u64 jobs;
};

// Pixels that a thread adds up before it adds to the sums.
#define SEGMENT 8
#define FIXED 1048576.0

__device__ __forceinline__ float value_at(const Judged& job, u64 at) {
  return job.half ? from_half(((const u16*)job.values)[at]) : ((const float*)job.values)[at];
}

__device__ __forceinline__ float brightness(const Judged& job, u32 x, u32 y) {
  float sum = 0.f;
  for (u32 row = y * job.block; row < (y + 1) * job.block; row++)
    for (u32 column = x * job.block; column < (x + 1) * job.block; column++) {
      u64 pixel = (u64)row * job.row + (u64)column * job.step;
      float a = job.weights[0] * value_at(job, pixel), b = job.weights[1] * value_at(job, pixel + job.plane);
      sum += a + b + job.weights[2] * value_at(job, pixel + 2 * (u64)job.plane) + job.offset;
    }
  return sum / (float)(job.block * job.block);
}

// Sums in fixed point do not depend on the order of the threads. A picture has at most 2^23 blocks that are judged, each
// with a detail of at most (4 · 255)^2 < 2^20; what is far beyond was no picture.
__device__ __forceinline__ void add(u64 sums, u32 which, double value) {
  bool is_number = fabs(value) < 9007199254740992.0;
  if (value != 0.0) atomicAdd((u64*)sums + (is_number ? which : 3), is_number ? (u64)(long long)rint(value) : 1);
}

KERNEL(quality_clear, QualityParams) {
  const Judged& job = ((const Judged*)p.jobs)[blockIdx.y];
  u64 i = linear_thread();
  if (i < 4) ((u64*)job.sums)[i] = 0;
}

// A thread for each SEGMENT blocks of a row; blockIdx.y is the picture.
KERNEL(quality, QualityParams) {
  const Judged& job = ((const Judged*)p.jobs)[blockIdx.y];
  u32 segments = (job.columns + SEGMENT - 1) / SEGMENT;
  u64 item = linear_thread();
  if (item >= (u64)segments * job.rows) return;
  u32 y = job.top + (u32)(item / segments), from = (u32)(item % segments) * SEGMENT;
  u32 count = min(job.columns - from, (u32)SEGMENT), burnt = 0;
  double sum = 0.0, detail = 0.0;
  u32 x = job.left + from;
  float before = brightness(job, x - 1, y), here = brightness(job, x, y);
  for (u32 i = 0; i < count; i++, x++) {
    float after = brightness(job, x + 1, y);
    float around = before + after + brightness(job, x, y - 1) + brightness(job, x, y + 1);
    float laplacian = around - 4.f * here;
    sum += (double)here;
    burnt += here > job.burnt;
    detail += (double)(laplacian * laplacian);
    before = here;
    here = after;
  }
  add(job.sums, 0, sum * FIXED);
  add(job.sums, 1, (double)burnt);
  add(job.sums, 2, detail * FIXED);
}
