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
#endif

// Index of this thread in a one-dimensional launch.
__device__ __forceinline__ unsigned long long linear_thread() {
  return (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
}
