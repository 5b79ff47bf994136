// Whole frames to networks' inputs, several in one launch. See scale.cuh for the steps and cuda/picture.rs for the bytes.
#include "scale.cuh"

// The jobs travel with the launch: no table has to be copied to the device for them.
struct PictureParams {
  Job jobs[8];
};

// A thread for each output column (blockIdx.y even) and row (odd).
KERNEL(picture_weights, PictureParams) {
  const Job& job = p.jobs[blockIdx.y / 2];
  u32 direction = blockIdx.y & 1;
  u64 o = linear_thread();
  if (is_antialiased(job) && o < (direction ? job.rows.out : job.columns.out)) weigh(job, direction, (u32)o);
}

// A thread for each output column of each row of each component; blockIdx.y is three times the job, plus the component.
KERNEL(picture_across, PictureParams) {
  const Job& job = p.jobs[blockIdx.y / 3];
  u32 component = blockIdx.y % 3;
  if (is_antialiased(job) && component < components_of(job.frame)) scale_across(job, component, linear_thread());
}

// A thread for each output pixel; blockIdx.y is the job.
KERNEL(picture, PictureParams) { write_pixel(p.jobs[blockIdx.y], linear_thread()); }
