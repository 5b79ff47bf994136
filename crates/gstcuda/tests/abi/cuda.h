/* The types of NVIDIA's cuda.h that libgstcuda's headers name, as far as their names go: NVIDIA's header is in no package of
 * Debian's main archive, and the layouts that are checked here hold none of these but pointers. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define CUDAAPI
typedef int CUdevice;
typedef int CUresult;
#define CUDA_SUCCESS 0
typedef unsigned long long CUdeviceptr;
typedef unsigned long long CUtexObject;
typedef unsigned long long CUmemGenericAllocationHandle;
#define POINTER(name) typedef struct name##_st *name
POINTER (CUcontext); POINTER (CUstream); POINTER (CUevent); POINTER (CUmodule); POINTER (CUfunction);
POINTER (CUarray); POINTER (CUgraphicsResource); POINTER (CUmemoryPool); POINTER (CUexternalMemory);
POINTER (CUexternalSemaphore); POINTER (CUmipmappedArray);
#define NUMBER(name) typedef int name
NUMBER (CUdevice_attribute); NUMBER (CUgraphicsRegisterFlags); NUMBER (CUgraphicsMapResourceFlags); NUMBER (CUfilter_mode);
NUMBER (CUmemAllocationGranularity_flags); NUMBER (CUmemAllocationHandleType); NUMBER (CUlimit);
NUMBER (CUmemPool_attribute); NUMBER (CUGLDeviceList);
#define OPAQUE(name) typedef struct name { int unused; } name
OPAQUE (CUDA_MEMCPY2D); OPAQUE (CUDA_RESOURCE_DESC); OPAQUE (CUDA_TEXTURE_DESC); OPAQUE (CUDA_RESOURCE_VIEW_DESC);
OPAQUE (CUmemAllocationProp); OPAQUE (CUmemLocation); OPAQUE (CUmemAccessDesc); OPAQUE (CUmemPoolProps);
OPAQUE (CUipcEventHandle); OPAQUE (CUipcMemHandle); OPAQUE (CUDA_EXTERNAL_MEMORY_HANDLE_DESC);
OPAQUE (CUDA_EXTERNAL_MEMORY_BUFFER_DESC); OPAQUE (CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC);
OPAQUE (CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC); OPAQUE (CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS);
OPAQUE (CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS);
