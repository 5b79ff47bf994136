// Non-maximum suppression of what yunet.cu or ssd.cu found; the reference is crates/vision/src/decode/nms.rs. Four launches in
// place of barriers: begin (before the candidates), rank, overlaps, keep.
#include "decode.cuh"

// The surest of a network gone wild.
#define NMS_MOST 1000
// Words of 32 bits that hold one bit for each of them.
#define NMS_WORDS 32

struct NmsParams {
  DecodeTable table;
  unsigned long long sorted;   // DecodedFace[NMS_MOST] per picture, surest first
  unsigned long long overlap;  // unsigned int[NMS_MOST][NMS_WORDS] per picture: which later ones overlap too much
  unsigned long long results;  // per picture a DecodeCount and `most` DecodedFaces
  unsigned int pictures;
  unsigned int most;
  float iou;
  unsigned int reserved;
};

// x: picture.
KERNEL(nms_begin, NmsParams) {
  const unsigned int picture = blockIdx.x * blockDim.x + threadIdx.x;
  if (picture >= p.pictures) return;
  DecodeCount* count = (DecodeCount*)p.table.counts + picture;
  count->bad = ~0ull;
  count->candidates = 0;
  count->kept = 0;
}

__device__ static inline unsigned int nms_candidates(const NmsParams* p, unsigned int picture) {
  const unsigned int count = ((const DecodeCount*)p->table.counts)[picture].candidates;
  return count < p->table.capacity ? count : p->table.capacity;
}

__device__ static inline unsigned int nms_sorted(const NmsParams* p, unsigned int picture) {
  const unsigned int count = nms_candidates(p, picture);
  return count < NMS_MOST ? count : NMS_MOST;
}

// x: candidate; y: picture. A candidate's place is the number of surer ones.
KERNEL(nms_rank, NmsParams) {
  const unsigned int picture = blockIdx.y;
  const unsigned int count = nms_candidates(&p, picture);
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const unsigned long long first = (unsigned long long)picture * p.table.capacity;
  const unsigned long long* keys = (const unsigned long long*)p.table.keys + first;
  const unsigned long long own = keys[i];
  unsigned int rank = 0;
  for (unsigned int j = 0; j < count && rank < NMS_MOST; j++) rank += keys[j] > own;
  if (rank >= NMS_MOST) return;
  ((DecodedFace*)p.sorted)[(unsigned long long)picture * NMS_MOST + rank] = ((const DecodedFace*)p.table.faces)[first + i];
}

// Rect::iou, step for step.
__device__ static inline int nms_overlap(const DecodedFace* a, const DecodedFace* b, float iou) {
  const float width = fminf(a->x + a->width, b->x + b->width) - fmaxf(a->x, b->x);
  const float height = fminf(a->y + a->height, b->y + b->height) - fmaxf(a->y, b->y);
  const float shared = fmaxf(width, 0.0f) * fmaxf(height, 0.0f);
  const float area_a = fmaxf(a->width, 0.0f) * fmaxf(a->height, 0.0f);
  const float area_b = fmaxf(b->width, 0.0f) * fmaxf(b->height, 0.0f);
  const float total = area_a + area_b - shared;
  const float overlap = total > 0.0f ? shared / total : 0.0f;
  return overlap > iou || overlap != overlap;
}

// x: word of a row; y: row; z: picture.
KERNEL(nms_overlaps, NmsParams) {
  const unsigned int picture = blockIdx.z, count = nms_sorted(&p, picture);
  const unsigned int word = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned int row = blockIdx.y * blockDim.y + threadIdx.y;
  const unsigned int first = word * 32u;
  if (word >= NMS_WORDS || row >= count || first >= count || first + 31u <= row) return;
  const DecodedFace* faces = (const DecodedFace*)p.sorted + (unsigned long long)picture * NMS_MOST;
  unsigned int bits = 0;
  for (unsigned int k = 0; k < 32u && first + k < count; k++)
    if (first + k > row && nms_overlap(&faces[row], &faces[first + k], p.iou)) bits |= 1u << k;
  ((unsigned int*)p.overlap)[((unsigned long long)picture * NMS_MOST + row) * NMS_WORDS + word] = bits;
}

// x: picture. One thread goes from the surest down: whoever no surer one has ruled out stays, and rules others out.
KERNEL(nms_keep, NmsParams) {
  const unsigned int picture = blockIdx.x * blockDim.x + threadIdx.x;
  if (picture >= p.pictures) return;
  const unsigned int count = nms_sorted(&p, picture), words = (count + 31u) / 32u;
  const DecodedFace* faces = (const DecodedFace*)p.sorted + (unsigned long long)picture * NMS_MOST;
  const unsigned int* overlap = (const unsigned int*)p.overlap + (unsigned long long)picture * NMS_MOST * NMS_WORDS;
  unsigned char* result = (unsigned char*)p.results + picture * (sizeof(DecodeCount) + (unsigned long long)p.most * sizeof(DecodedFace));
  DecodedFace* kept = (DecodedFace*)(result + sizeof(DecodeCount));
  unsigned int gone[NMS_WORDS];
  for (unsigned int w = 0; w < NMS_WORDS; w++) gone[w] = 0;
  unsigned int found = 0;
  for (unsigned int i = 0; i < count && found < p.most; i++) {
    if (gone[i / 32u] >> (i % 32u) & 1u) continue;
    kept[found++] = faces[i];
    // The row's own word and those after it: what lies before is decided.
    for (unsigned int w = i / 32u; w < words; w++) {
      // A word that ends with the row itself holds nothing later and was not written.
      if (w * 32u + 31u > i) gone[w] |= overlap[i * NMS_WORDS + w];
    }
  }
  // What the last picture left here goes.
  for (unsigned int i = found; i < p.most; i++) {
    unsigned int* words_of = (unsigned int*)&kept[i];
    for (unsigned int w = 0; w < sizeof(DecodedFace) / 4u; w++) words_of[w] = 0;
  }
  DecodeCount* count_out = (DecodeCount*)result;
  *count_out = ((const DecodeCount*)p.table.counts)[picture];
  count_out->kept = found;
}
