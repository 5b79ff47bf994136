// What every kernel file starts with. Compiled three ways: by NVRTC to PTX (the real thing), by nvcc, and by g++ through
// cpu_shim.h into the tests' stand-in driver, so that the kernels run in tests on machines without a GPU.
//
// A kernel takes one parameter, a plain struct by value (at most 4000 bytes) which the body sees as `p`:
//
//     struct FillParams { unsigned char* out; unsigned long long count; unsigned value; };
//     KERNEL(fill, FillParams) { … p.out … }
//
// No shared memory, no barriers and no warp intrinsics (the stand-in runs the threads one after another), and no result
// that depends on the order in which threads run. No header of the CUDA toolkit: NVRTC has none at hand.
#pragma once

#ifdef FACIALADS_CPU_SHIM
#include "cpu_shim.h"
#else
#define KERNEL(name, Params) extern "C" __global__ void name(const Params p)

// 32-bit floats to 16-bit ones, rounded to the nearest (ties to even), and back.
__device__ __forceinline__ unsigned short to_half(float value) {
  unsigned short half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
}
__device__ __forceinline__ float from_half(unsigned short half) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
  return value;
}
#endif

// Index of this thread in a one-dimensional launch.
__device__ __forceinline__ unsigned long long linear_thread() {
  return (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
}
