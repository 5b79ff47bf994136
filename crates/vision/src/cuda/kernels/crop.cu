// Faces to networks' inputs: every face, margin and network of a frame in one launch. The same steps as picture.cu, with
// the jobs in device memory, of which there may be hundreds.
#include "scale.cuh"

struct CropParams {
  u64 jobs;
};

__device__ __forceinline__ const Job& job_of(const CropParams& p, u32 index) { return ((const Job*)p.jobs)[index]; }

KERNEL(crop_weights, CropParams) {
  const Job& job = job_of(p, blockIdx.y / 2);
  u32 direction = blockIdx.y & 1;
  u64 o = linear_thread();
  if (is_antialiased(job) && o < (direction ? job.rows.out : job.columns.out)) weigh(job, direction, (u32)o);
}

KERNEL(crop_across, CropParams) {
  const Job& job = job_of(p, blockIdx.y / 3);
  u32 component = blockIdx.y % 3;
  if (is_antialiased(job) && component < components_of(job.frame)) scale_across(job, component, linear_thread());
}

KERNEL(crop, CropParams) { write_pixel(job_of(p, blockIdx.y), linear_thread()); }
