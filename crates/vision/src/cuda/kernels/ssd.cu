// Boxes and scores of a single-shot detector to candidates; the reference is crates/vision/src/decode/ssd_face.rs.
#include "decode.cuh"

// A score is a probability; rounding may take it this far.
#define SSD_MOST_SCORE 1.001f

struct SsdParams {
  DecodeTable table;
  unsigned long long boxes;   // ymin, xmin, ymax, xmax
  unsigned long long scores;
  unsigned int count;
  unsigned int reserved;
  DecodePicture picture[DECODE_PICTURES];
};

// x: boxes; y: picture.
KERNEL(ssd_candidates, SsdParams) {
  const unsigned int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= p.count) return;
  const DecodePicture* picture = &p.picture[blockIdx.y];
  const unsigned long long at = (unsigned long long)picture->item * p.count + index;
  const float score = ((const float*)p.scores)[at];
  const int none = score != score;
  if (!(score >= picture->bound) && !none) return;
  if (none || score > SSD_MOST_SCORE) {
    decode_bad(&p.table, blockIdx.y, index, score);
    return;
  }
  const float confidence = fminf(score, 1.0f);
  if (!(confidence > picture->threshold)) return;
  const float* box = (const float*)p.boxes + at * 4ull;
  DecodedFace face;
  face.x = box[1];
  face.y = box[0];
  face.width = box[3] - box[1];
  face.height = box[2] - box[0];
  face.confidence = confidence;
  face.index = index;
  for (int i = 0; i < 10; i++) face.points[i] = 0.0f;
  decode_push(&p.table, blockIdx.y, &face);
}
