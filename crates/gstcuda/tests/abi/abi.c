/* Prints what src/api.rs assumes; compiling it already checks the signatures. */
#define GST_USE_UNSTABLE_API
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gst/cuda/gstcudautils.h>
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <stdio.h>

/* The signatures of `Functions` in src/api.rs, in C. */
gboolean (*load_library) (void) = gst_cuda_load_library;
CUresult (*cu_init) (unsigned int) = CuInit;
void (*memory_init_once) (void) = gst_cuda_memory_init_once;
gboolean (*is_cuda_memory) (GstMemory *) = gst_is_cuda_memory;
GType (*context_get_type) (void) = gst_cuda_context_get_type;
GstCudaContext *(*context_new) (guint) = gst_cuda_context_new;
GstCudaContext *(*context_new_wrapped) (CUcontext, CUdevice) = gst_cuda_context_new_wrapped;
gpointer (*context_get_handle) (GstCudaContext *) = gst_cuda_context_get_handle;
gboolean (*context_push) (GstCudaContext *) = gst_cuda_context_push;
gboolean (*context_pop) (CUcontext *) = gst_cuda_context_pop;
gboolean (*context_can_access_peer) (GstCudaContext *, GstCudaContext *) = gst_cuda_context_can_access_peer;
gboolean (*handle_set_context) (GstElement *, GstContext *, gint, GstCudaContext **) = gst_cuda_handle_set_context;
gboolean (*handle_context_query) (GstElement *, GstQuery *, GstCudaContext *) = gst_cuda_handle_context_query;
GstContext *(*context_new_cuda_context) (GstCudaContext *) = gst_context_new_cuda_context;
GstBufferPool *(*buffer_pool_new) (GstCudaContext *) = gst_cuda_buffer_pool_new;
#ifdef HAS_STREAMS
void (*memory_sync) (GstCudaMemory *) = gst_cuda_memory_sync;
GstCudaStream *(*memory_get_stream) (GstCudaMemory *) = gst_cuda_memory_get_stream;
CUstream (*stream_get_handle) (GstCudaStream *) = gst_cuda_stream_get_handle;
GstCudaStream *(*stream_new) (GstCudaContext *) = gst_cuda_stream_new;
void (*stream_unref) (GstCudaStream *) = gst_cuda_stream_unref;
void (*config_set_stream) (GstStructure *, GstCudaStream *) = gst_buffer_pool_config_set_cuda_stream;
#endif

int
main (void)
{
#define SHOW(name, value) printf (name " %llu\n", (unsigned long long) (value))
  SHOW ("sizeof(GstMemory)", sizeof (GstMemory));
  SHOW ("sizeof(GstVideoInfo)", sizeof (GstVideoInfo));
  SHOW ("sizeof(GstVideoFrame)", sizeof (GstVideoFrame));
  SHOW ("sizeof(GstCudaContext)", sizeof (GstCudaContext));
  SHOW ("GstCudaContext.object", G_STRUCT_OFFSET (GstCudaContext, object));
  SHOW ("GstCudaMemory.mem", G_STRUCT_OFFSET (GstCudaMemory, mem));
  SHOW ("GstCudaMemory.context", G_STRUCT_OFFSET (GstCudaMemory, context));
  SHOW ("GstCudaMemory.info", G_STRUCT_OFFSET (GstCudaMemory, info));
  SHOW ("GST_MAP_CUDA", GST_MAP_CUDA);
  SHOW ("NEED_DOWNLOAD", GST_CUDA_MEMORY_TRANSFER_NEED_DOWNLOAD);
  SHOW ("NEED_UPLOAD", GST_CUDA_MEMORY_TRANSFER_NEED_UPLOAD);
#ifdef HAS_STREAMS
  SHOW ("NEED_SYNC", GST_CUDA_MEMORY_TRANSFER_NEED_SYNC);
#endif
  printf ("CONTEXT_TYPE %s\n", GST_CUDA_CONTEXT_TYPE);
  printf ("MEMORY_TYPE %s\n", GST_CUDA_MEMORY_TYPE_NAME);
  printf ("CAPS_FEATURE %s\n", GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY);
  return 0;
}
