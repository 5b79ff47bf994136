// YuNet's outputs to candidates; the reference is crates/vision/src/decode/yunet.rs.
#include "decode.cuh"

struct YunetLevel {
  unsigned long long classes, objects, boxes, points;
  // Of one picture.
  unsigned int cells, columns;
  // A cell's sides as fractions of the input.
  float step_x, step_y;
};

struct YunetParams {
  DecodeTable table;
  YunetLevel level[3];
  DecodePicture picture[DECODE_PICTURES];
};

// Not a number stays one.
__device__ static inline float yunet_unit(float value) { return value < 0.0f ? 0.0f : (value > 1.0f ? 1.0f : value); }

// x: cells of all levels; y: picture.
KERNEL(yunet_candidates, YunetParams) {
  const unsigned int index = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned int cell = index, which = 0;
  while (which < 3 && cell >= p.level[which].cells) cell -= p.level[which++].cells;
  if (which == 3) return;
  const YunetLevel* level = &p.level[which];
  const DecodePicture* picture = &p.picture[blockIdx.y];
  const unsigned long long at = (unsigned long long)picture->item * level->cells + cell;
  const float square = yunet_unit(((const float*)level->classes)[at]) * yunet_unit(((const float*)level->objects)[at]);
  if (square != square) {
    // The level is enough to say which outputs these are.
    decode_bad(&p.table, blockIdx.y, which, square);
    return;
  }
  if (!(square >= picture->bound)) return;
  const float confidence = sqrtf(square);
  if (confidence < picture->threshold) return;
  const float column = (float)(cell % level->columns), row = (float)(cell / level->columns);
  const float* box = (const float*)level->boxes + at * 4ull;
  const float* points = (const float*)level->points + at * 10ull;
  const float width = expf(box[2]), height = expf(box[3]);
  DecodedFace face;
  face.x = (column + box[0] - width / 2.0f) * level->step_x;
  face.y = (row + box[1] - height / 2.0f) * level->step_y;
  face.width = width * level->step_x;
  face.height = height * level->step_y;
  face.confidence = confidence;
  face.index = index;
  for (int i = 0; i < 5; i++) {
    face.points[2 * i] = (column + points[2 * i]) * level->step_x;
    face.points[2 * i + 1] = (row + points[2 * i + 1]) * level->step_y;
  }
  decode_push(&p.table, blockIdx.y, &face);
}
