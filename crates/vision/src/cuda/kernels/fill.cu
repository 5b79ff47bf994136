// Fills device memory with one byte. What the first launch on a device is tried with: the smallest kernel there is.
#include "common.cuh"

struct FillParams {
  unsigned char* out;        // first byte
  unsigned long long count;  // bytes
  unsigned value;            // its low eight bits are written
};

KERNEL(fill, FillParams) {
  unsigned long long i = linear_thread();
  if (i >= p.count) return;
  p.out[i] = (unsigned char)p.value;
}
