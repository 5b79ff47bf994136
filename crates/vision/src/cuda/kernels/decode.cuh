// Where a detector's kernels put what they found, and how suppression finds it. The reference is crates/vision/src/decode.
#pragma once
#include "common.cuh"

// Pictures of a batch that are decoded by one launch.
#define DECODE_PICTURES 64

// One per picture.
struct DecodeCount {
  // The first score that cannot be believed: where it is above, its bits below; all ones where there is none.
  unsigned long long bad;
  unsigned int candidates;
  unsigned int kept;
};

// A face as fractions of the network's input.
struct DecodedFace {
  float x, y, width, height;
  float confidence;
  unsigned int index;
  float points[10];
};

// Arrays with one part per picture, one after the other; a part has room for every cell of the network, so that nothing can
// overflow.
struct DecodeTable {
  unsigned long long counts;  // DecodeCount
  unsigned long long keys;    // unsigned long long: the surer, the larger; of equals the earlier
  unsigned long long faces;   // DecodedFace
  unsigned int capacity;
  unsigned int reserved;
};

struct DecodePicture {
  // Its number in the batch.
  unsigned int item;
  float threshold;
  // What the first look compares with.
  float bound;
  unsigned int reserved;
};

__device__ static inline int decode_finite(float value) { return fabsf(value) <= 3.402823466e38f; }

__device__ static inline void decode_bad(const DecodeTable* table, unsigned int picture, unsigned int index, float score) {
  DecodeCount* count = (DecodeCount*)table->counts + picture;
  atomicMin(&count->bad, (unsigned long long)index << 32 | (unsigned long long)__float_as_uint(score));
}

// Adds a candidate, unless it is no box. Slots are taken in any order; the key says which is which.
__device__ static inline void decode_push(const DecodeTable* table, unsigned int picture, const DecodedFace* face) {
  const float area = fmaxf(face->width, 0.0f) * fmaxf(face->height, 0.0f);
  if (!decode_finite(face->x) || !decode_finite(face->y) || !decode_finite(face->width) || !decode_finite(face->height)) return;
  if (!(area > 0.0f) || !decode_finite(face->confidence)) return;
  DecodeCount* count = (DecodeCount*)table->counts + picture;
  const unsigned int slot = atomicAdd(&count->candidates, 1u);
  if (slot >= table->capacity) return;
  const unsigned long long at = (unsigned long long)picture * table->capacity + slot;
  const unsigned int bits = __float_as_uint(face->confidence);
  const unsigned int ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  ((unsigned long long*)table->keys)[at] = (unsigned long long)ordered << 32 | (unsigned long long)(0xffffffffu - face->index);
  ((DecodedFace*)table->faces)[at] = *face;
}
