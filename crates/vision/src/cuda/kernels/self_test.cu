// Writes what the host can predict, from every thread's place in the launch: shows that programs, parameters and memory work.
#include "common.cuh"

struct SelfTestParams {
  unsigned int *out;
  unsigned int count;
  unsigned int seed;
};

KERNEL(self_test, SelfTestParams) {
  unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < p.count) p.out[i] = i * 2654435761u + p.seed;
}
