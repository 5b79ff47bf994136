// CUDA C as far as our kernels use it, for g++: the names of the language, the built-in variables, the device's
// mathematics and atomics, and KERNEL, which puts every kernel into a table that the stand-in driver launches from.
// Compile with -ffp-contract=off, as NVRTC is called with --fmad=false, so that both give the same numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __restrict__ __restrict
#define __forceinline__ inline __attribute__((always_inline, unused))
#define __launch_bounds__(...)

namespace facialads_shim {

struct Dim3 {
  unsigned x, y, z;
};

// One kernel of a .cu file: what the driver needs to run and to check a launch of it.
struct Kernel {
  const char* name;
  void (*run)(Dim3 grid, Dim3 block, const void* params);
  unsigned long params_size;
  unsigned long params_align;
  const Kernel* next;
};

// Head of the list of every kernel that was compiled in; defined by the stand-in.
extern const Kernel* kernels;

struct Registration {
  explicit Registration(Kernel& kernel) {
    kernel.next = kernels;
    kernels = &kernel;
  }
};

}  // namespace facialads_shim

// Per host thread, because several may be launching at the same time.
inline thread_local facialads_shim::Dim3 blockIdx __attribute__((unused)), threadIdx __attribute__((unused)),
    blockDim __attribute__((unused)), gridDim __attribute__((unused));

#define KERNEL(name, Params)                                                                              \
  static inline __attribute__((always_inline)) void name##_thread(const Params& p);                       \
  static void name##_launch(facialads_shim::Dim3 grid, facialads_shim::Dim3 block, const void* params) {  \
    Params p;                                                                                             \
    std::memcpy(&p, params, sizeof p);                                                                    \
    gridDim = grid;                                                                                       \
    blockDim = block;                                                                                     \
    for (unsigned gz = 0; gz < grid.z; gz++)                                                              \
      for (unsigned gy = 0; gy < grid.y; gy++)                                                            \
        for (unsigned gx = 0; gx < grid.x; gx++) {                                                        \
          blockIdx = {gx, gy, gz};                                                                        \
          for (unsigned tz = 0; tz < block.z; tz++)                                                       \
            for (unsigned ty = 0; ty < block.y; ty++)                                                     \
              for (unsigned tx = 0; tx < block.x; tx++) {                                                 \
                threadIdx = {tx, ty, tz};                                                                 \
                name##_thread(p);                                                                         \
              }                                                                                           \
        }                                                                                                 \
  }                                                                                                       \
  static facialads_shim::Kernel name##_kernel = {#name, name##_launch, sizeof(Params), alignof(Params), nullptr}; \
  static const facialads_shim::Registration name##_registration(name##_kernel);                           \
  static inline __attribute__((always_inline)) void name##_thread(const Params& p)

// Vector types, with the alignment that the device demands of them.
struct alignas(4) uchar4 {
  unsigned char x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

// CUDA's overloads of min and max.
#define FACIALADS_MIN_MAX(T)                                                   \
  __forceinline__ T min(T a, T b) { return b < a ? b : a; }                    \
  __forceinline__ T max(T a, T b) { return a < b ? b : a; }
FACIALADS_MIN_MAX(int)
FACIALADS_MIN_MAX(unsigned)
FACIALADS_MIN_MAX(long long)
FACIALADS_MIN_MAX(unsigned long long)
#undef FACIALADS_MIN_MAX
// As on the device, a NaN loses against a number.
__forceinline__ float min(float a, float b) { return fminf(a, b); }
__forceinline__ float max(float a, float b) { return fmaxf(a, b); }

__forceinline__ float __saturatef(float x) { return x != x ? 0.f : fminf(fmaxf(x, 0.f), 1.f); }
__forceinline__ float __fmul_rn(float a, float b) { return a * b; }
__forceinline__ float __fadd_rn(float a, float b) { return a + b; }
__forceinline__ float __fsub_rn(float a, float b) { return a - b; }
__forceinline__ float __fdiv_rn(float a, float b) { return a / b; }
__forceinline__ float __fsqrt_rn(float a) { return sqrtf(a); }
// Conversions saturate and send NaN to 0, as the device's instruction does; a C++ cast would be undefined there.
__forceinline__ int facialads_float_to_int(float x) {
  return x != x ? 0 : x >= 2147483648.f ? 2147483647 : x < -2147483648.f ? -2147483647 - 1 : (int)x;
}
__forceinline__ int __float2int_rn(float x) { return facialads_float_to_int(rintf(x)); }
__forceinline__ int __float2int_rd(float x) { return facialads_float_to_int(floorf(x)); }
__forceinline__ int __float2int_ru(float x) { return facialads_float_to_int(ceilf(x)); }
__forceinline__ int __float2int_rz(float x) { return facialads_float_to_int(x); }
__forceinline__ unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
__forceinline__ float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
__forceinline__ int __float_as_int(float x) { return (int)__float_as_uint(x); }
__forceinline__ float __int_as_float(int bits) { return __uint_as_float((unsigned)bits); }
__forceinline__ int __popc(unsigned x) { return __builtin_popcount(x); }
__forceinline__ int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
__forceinline__ int __clz(unsigned x) { return x ? __builtin_clz(x) : 32; }
__forceinline__ int __ffs(int x) { return __builtin_ffs(x); }

// A load of what no thread of the launch writes.
template <typename T>
__forceinline__ T __ldg(const T* at) {
  return *at;
}

// 32-bit floats to 16-bit ones, rounded to the nearest (ties to even), and back: what the device has an instruction for.
inline unsigned short to_half(float value) {
  unsigned bits = __float_as_uint(value);
  unsigned sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return (unsigned short)0x7FFFu;               // not a number
  if (magnitude >= 0x477FF000u) return (unsigned short)(sign | 0x7C00u);     // rounds to more than 65504
  unsigned kept = magnitude, dropped = 13, rebased = 0;
  if (magnitude >= 0x38800000u) {
    rebased = 0x38000000u;                                                   // the exponents' biases, 127 and 15
  } else {
    if (magnitude < 0x33000000u) return (unsigned short)sign;                // less than half of the least
    kept = (magnitude & 0x7FFFFFu) | 0x800000u;                              // below 2^-14 the step is 2^-24
    dropped = 126 - (magnitude >> 23);
  }
  unsigned remainder = kept & ((1u << dropped) - 1), tie = 1u << (dropped - 1);
  unsigned half = (kept - rebased) >> dropped;
  half += remainder > tie || (remainder == tie && (half & 1));
  return (unsigned short)(sign | half);
}
inline float from_half(unsigned short half) {
  unsigned sign = (unsigned)(half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 1023u;
  if (exponent == 31) return __uint_as_float(sign | 0x7F800000u | fraction << 13);
  if (exponent) return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
  float small = (float)fraction * 5.9604644775390625e-8f;  // 2^-24
  return sign ? -small : small;
}

// Atomics: relaxed, as on the device; they return the old value.
#define FACIALADS_ATOMICS(T)                                                                                     \
  __forceinline__ T atomicAdd(T* at, T value) { return __atomic_fetch_add(at, value, __ATOMIC_RELAXED); }        \
  __forceinline__ T atomicOr(T* at, T value) { return __atomic_fetch_or(at, value, __ATOMIC_RELAXED); }          \
  __forceinline__ T atomicAnd(T* at, T value) { return __atomic_fetch_and(at, value, __ATOMIC_RELAXED); }        \
  __forceinline__ T atomicExch(T* at, T value) { return __atomic_exchange_n(at, value, __ATOMIC_RELAXED); }      \
  __forceinline__ T atomicCAS(T* at, T expected, T value) {                                                      \
    __atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);                \
    return expected;                                                                                             \
  }                                                                                                              \
  __forceinline__ T atomicMin(T* at, T value) {                                                                  \
    T old = __atomic_load_n(at, __ATOMIC_RELAXED);                                                               \
    while (value < old && !__atomic_compare_exchange_n(at, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {} \
    return old;                                                                                                  \
  }                                                                                                              \
  __forceinline__ T atomicMax(T* at, T value) {                                                                  \
    T old = __atomic_load_n(at, __ATOMIC_RELAXED);                                                               \
    while (old < value && !__atomic_compare_exchange_n(at, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {} \
    return old;                                                                                                  \
  }
FACIALADS_ATOMICS(int)
FACIALADS_ATOMICS(unsigned)
FACIALADS_ATOMICS(unsigned long long)
#undef FACIALADS_ATOMICS
__forceinline__ float atomicAdd(float* at, float value) {
  unsigned* bits = reinterpret_cast<unsigned*>(at);
  unsigned old = __atomic_load_n(bits, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(bits, &old, __float_as_uint(__uint_as_float(old) + value), false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return __uint_as_float(old);
}
