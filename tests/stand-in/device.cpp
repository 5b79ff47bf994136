// Initialisation, devices, contexts and the names of errors.
#include "driver.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>

using namespace standin;

namespace {

struct Named {
  int code;
  const char* name;
  const char* text;
};
const Named NAMES[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", "peer access is not supported between these two devices"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", "peer access is already enabled"},
    {705, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", "peer access has not been enabled"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const Named* named(int code) {
  for (auto& each : NAMES)
    if (each.code == code) return &each;
  return nullptr;
}

bool has_device(int device) { return device >= 0 && device < state().devices; }

Context* new_context(int device, unsigned flags) {
  Context* context = new Context;
  context->device = device;
  context->flags = flags;
  context->default_stream.context = context;
  context->default_stream.flags = 0;
  context->default_stream.priority = 0;
  state().contexts.insert(context);
  return context;
}

}  // namespace

namespace standin {

void destroy_context(std::unique_lock<std::mutex>& lock, Context* context) {
  State& s = state();
  drain_context(lock, context);
  for (auto it = s.allocations.begin(); it != s.allocations.end();) {
    Address start = it->first;
    bool ours = it->second.context == context;
    ++it;
    if (ours) {
      count("leaked allocations");
      release(start);
    }
  }
  // Streams are kept, as contexts are: marks of events still point to them.
  for (Stream* stream : context->streams) s.streams.erase(stream);
  for (Event* event : context->events) {
    s.events.erase(event);
    delete event;
  }
  for (Module* module : context->modules) {
    s.modules.erase(module);
    delete module;
  }
  for (auto it = s.functions.begin(); it != s.functions.end();) {
    it = s.modules.count(it->second->module) ? std::next(it) : s.functions.erase(it);
  }
  s.contexts.erase(context);
  for (Context* other : s.contexts) other->peers.erase(context);
  // Not deleted: a later use of the handle must be told apart from a new context at the same address.
}

}  // namespace standin

EXPORT int cuInit(unsigned) {
  Call call("cuInit", false, false);
  if (!call) return call.result;
  if (state().devices <= 0) return NO_DEVICE;
  state().initialised = true;
  return SUCCESS;
}

EXPORT int cuDriverGetVersion(int* version) {
  Call call("cuDriverGetVersion", false, false);
  if (!call) return call.result;
  if (!version) return INVALID_VALUE;
  *version = state().driver;
  return SUCCESS;
}

EXPORT int cuGetErrorName(int error, const char** out) {
  if (!out) return INVALID_VALUE;
  const Named* found = named(error);
  *out = found ? found->name : nullptr;
  return found ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuGetErrorString(int error, const char** out) {
  if (!out) return INVALID_VALUE;
  const Named* found = named(error);
  *out = found ? found->text : nullptr;
  return found ? SUCCESS : INVALID_VALUE;
}

EXPORT const char* standin_error(int error) {
  const Named* found = named(error);
  return found ? found->text : "unknown error";
}

EXPORT int cuDeviceGetCount(int* out) {
  Call call("cuDeviceGetCount", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  *out = state().devices;
  return SUCCESS;
}

EXPORT int cuDeviceGet(int* out, int ordinal) {
  Call call("cuDeviceGet", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (!has_device(ordinal)) return INVALID_DEVICE;
  *out = ordinal;
  return SUCCESS;
}

EXPORT int cuDeviceGetName(char* out, int size, int device) {
  Call call("cuDeviceGetName", false);
  if (!call) return call.result;
  if (!out || size <= 0) return INVALID_VALUE;
  if (!has_device(device)) return INVALID_DEVICE;
  std::snprintf(out, (size_t)size, "Stand-in GPU %d", device);
  return SUCCESS;
}

static int uuid(unsigned char* out, int device, bool instance) {
  if (!out) return INVALID_VALUE;
  if (!has_device(device)) return INVALID_DEVICE;
  for (int i = 0; i < 16; i++) out[i] = (unsigned char)(0x10 * (i % 16) + i);
  out[0] = (unsigned char)(0xa0 + device);
  if (instance) out[1] = 0x77;
  return SUCCESS;
}

EXPORT int cuDeviceGetUuid(void* out, int device) {
  Call call("cuDeviceGetUuid", false);
  return call ? uuid((unsigned char*)out, device, false) : call.result;
}

// In MIG mode this one gives the instance's identity and the older one the whole card's.
EXPORT int cuDeviceGetUuid_v2(void* out, int device) {
  Call call("cuDeviceGetUuid_v2", false);
  return call ? uuid((unsigned char*)out, device, state().mig) : call.result;
}

EXPORT int cuDeviceTotalMem_v2(size_t* out, int device) {
  Call call("cuDeviceTotalMem_v2", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (!has_device(device)) return INVALID_DEVICE;
  *out = state().memory;
  return SUCCESS;
}

EXPORT int cuDeviceGetAttribute(int* out, int attribute, int device) {
  Call call("cuDeviceGetAttribute", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (!has_device(device)) return INVALID_DEVICE;
  switch (attribute) {
    case 1: *out = 1024; break;              // threads per block
    case 2: case 3: *out = 1024; break;      // block x, y
    case 4: *out = 64; break;                // block z
    case 5: *out = 2147483647; break;        // grid x
    case 6: case 7: *out = 65535; break;     // grid y, z
    case 8: *out = 49152; break;             // shared memory per block
    case 9: *out = 65536; break;             // constant memory
    case 10: *out = 32; break;               // warp
    case 11: *out = 2147483647; break;       // pitch
    case 12: *out = 65536; break;            // registers per block
    case 13: *out = 1410000; break;          // kHz
    case 14: *out = 512; break;              // texture alignment
    case 16: *out = 28; break;               // multiprocessors
    case 33: *out = device + 1; break;       // PCI bus
    case 36: *out = 7000000; break;          // memory clock, kHz
    case 37: *out = 192; break;              // bus width
    case 39: *out = 1536; break;             // threads per multiprocessor
    case 40: *out = 2; break;                // copy engines
    case 15: case 19: case 31: case 41: case 78: *out = 1; break;
    case 51: *out = 32; break;               // texture pitch alignment
    case 21: case 22: case 23: case 70: case 71: *out = 131072; break;
    case 72: *out = 2097120; break;
    case 75: *out = state().compute_major; break;
    case 76: *out = state().compute_minor; break;
    default: *out = 0; break;  // neither memory pools nor virtual memory management nor IPC
  }
  return SUCCESS;
}

EXPORT int cuDeviceGetPCIBusId(char* out, int size, int device) {
  Call call("cuDeviceGetPCIBusId", false);
  if (!call) return call.result;
  if (!out || size < 13) return INVALID_VALUE;
  if (!has_device(device)) return INVALID_DEVICE;
  std::snprintf(out, (size_t)size, "0000:%02x:00.0", device + 1);
  return SUCCESS;
}

EXPORT int cuDeviceCanAccessPeer(int* out, int device, int peer) {
  Call call("cuDeviceCanAccessPeer", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (!has_device(device) || !has_device(peer)) return INVALID_DEVICE;
  *out = device != peer;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRetain(Context** out, int device) {
  Call call("cuDevicePrimaryCtxRetain", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (!has_device(device)) return INVALID_DEVICE;
  Context*& primary = state().primary[device];
  if (!primary) {
    primary = new_context(device, state().primary_flags[device]);
    primary->primary = true;
  }
  if (primary->dead != SUCCESS) return primary->dead;
  primary->retained++;
  *out = primary;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
  Call call("cuDevicePrimaryCtxRelease_v2", false);
  if (!call) return call.result;
  if (!has_device(device)) return INVALID_DEVICE;
  auto found = state().primary.find(device);
  if (found == state().primary.end() || !found->second) return INVALID_CONTEXT;
  Context* primary = found->second;
  if (--primary->retained == 0) {
    state().primary.erase(found);
    destroy_context(call.lock, primary);
  }
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxGetState(int device, unsigned* flags, int* active) {
  Call call("cuDevicePrimaryCtxGetState", false);
  if (!call) return call.result;
  if (!has_device(device)) return INVALID_DEVICE;
  auto found = state().primary.find(device);
  bool there = found != state().primary.end() && found->second;
  if (flags) *flags = there ? found->second->flags : state().primary_flags[device];
  if (active) *active = there;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
  Call call("cuDevicePrimaryCtxSetFlags_v2", false);
  if (!call) return call.result;
  if (!has_device(device)) return INVALID_DEVICE;
  state().primary_flags[device] = flags;
  auto found = state().primary.find(device);
  if (found != state().primary.end() && found->second) found->second->flags = flags;
  count("primary context flags", flags);
  return SUCCESS;
}

EXPORT int cuCtxCreate_v2(Context** out, unsigned flags, int device) {
  Call call("cuCtxCreate_v2", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (!has_device(device)) return INVALID_DEVICE;
  *out = new_context(device, flags);
  context_stack().push_back(*out);
  return SUCCESS;
}

EXPORT int cuCtxDestroy_v2(Context* context) {
  Call call("cuCtxDestroy_v2", false);
  if (!call) return call.result;
  if (!context || !state().contexts.count(context) || context->primary) return INVALID_CONTEXT;
  destroy_context(call.lock, context);
  auto& stack = context_stack();
  if (!stack.empty() && stack.back() == context) stack.pop_back();
  return SUCCESS;
}

EXPORT int cuCtxPushCurrent_v2(Context* context) {
  Call call("cuCtxPushCurrent_v2", false);
  if (!call) return call.result;
  if (!context || !state().contexts.count(context)) return INVALID_CONTEXT;
  context_stack().push_back(context);  // also a lost one: what is done in it fails
  return SUCCESS;
}

EXPORT int cuCtxPopCurrent_v2(Context** out) {
  Call call("cuCtxPopCurrent_v2", false);
  if (!call) return call.result;
  auto& stack = context_stack();
  if (stack.empty()) return INVALID_CONTEXT;
  if (out) *out = stack.back();
  stack.pop_back();
  return SUCCESS;
}

EXPORT int cuCtxSetCurrent(Context* context) {
  Call call("cuCtxSetCurrent", false);
  if (!call) return call.result;
  if (context && !state().contexts.count(context)) return INVALID_CONTEXT;
  auto& stack = context_stack();
  if (!stack.empty()) stack.pop_back();
  if (context) stack.push_back(context);
  return SUCCESS;
}

EXPORT int cuCtxGetCurrent(Context** out) {
  Call call("cuCtxGetCurrent", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  *out = current();
  return SUCCESS;
}

EXPORT int cuCtxGetDevice(int* out) {
  Call call("cuCtxGetDevice", true);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  *out = current()->device;
  return SUCCESS;
}

EXPORT int cuCtxGetApiVersion(Context* context, unsigned* out) {
  Call call("cuCtxGetApiVersion", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (context ? !state().contexts.count(context) : !current()) return INVALID_CONTEXT;
  *out = 3020;
  return SUCCESS;
}

EXPORT int cuCtxGetFlags(unsigned* out) {
  Call call("cuCtxGetFlags", true);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  *out = current()->flags;
  return SUCCESS;
}

EXPORT int cuCtxSetFlags(unsigned flags) {
  Call call("cuCtxSetFlags", true);
  if (!call) return call.result;
  current()->flags = flags;
  return SUCCESS;
}

EXPORT int cuCtxGetId(Context* context, unsigned long long* out) {
  Call call("cuCtxGetId", false);
  if (!call) return call.result;
  if (!context) context = current();
  if (!out) return INVALID_VALUE;
  if (!context || !state().contexts.count(context)) return INVALID_CONTEXT;
  *out = (unsigned long long)context;
  return SUCCESS;
}

EXPORT int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  Call call("cuCtxGetStreamPriorityRange", true);
  if (!call) return call.result;
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return SUCCESS;
}

EXPORT int cuCtxGetLimit(size_t* out, int) {
  Call call("cuCtxGetLimit", true);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  *out = 0;
  return SUCCESS;
}

EXPORT int cuCtxSetLimit(int, size_t) {
  Call call("cuCtxSetLimit", true);
  return call.result;
}

EXPORT int cuCtxEnablePeerAccess(Context* peer, unsigned) {
  Call call("cuCtxEnablePeerAccess", true);
  if (!call) return call.result;
  if (!peer || !state().contexts.count(peer)) return INVALID_CONTEXT;
  if (peer->device == current()->device) return PEER_ACCESS_UNSUPPORTED;
  return current()->peers.insert(peer).second ? SUCCESS : PEER_ACCESS_ALREADY_ENABLED;
}

EXPORT int cuCtxDisablePeerAccess(Context* peer) {
  Call call("cuCtxDisablePeerAccess", true);
  if (!call) return call.result;
  return current()->peers.erase(peer) ? SUCCESS : PEER_ACCESS_NOT_ENABLED;
}

// Tables of undocumented functions. NVRTC asks for two, for a cache of its own, and calls through null where a driver has no
// function to ask with; it does without where the driver has no table.
EXPORT int cuGetExportTable(const void** table, const void*) {
  if (table) *table = nullptr;
  return NOT_FOUND;
}

EXPORT int cuGetProcAddress_v2(const char* symbol, void** out, int, uint64_t, int* status) {
  if (!symbol || !out) return INVALID_VALUE;
  // The newest name of a function goes without its suffix here.
  for (const char* suffix : {"_v2", ""}) {
    *out = dlsym(RTLD_DEFAULT, (std::string(symbol) + suffix).c_str());
    if (*out) break;
  }
  if (status) *status = *out ? 0 : 1;
  return *out ? SUCCESS : NOT_FOUND;
}

// What the stand-in has nothing for: interoperation with OpenGL, memory from elsewhere, memory pools, IPC, graphs.
#define NOT_THERE(name) \
  EXPORT int name() { Call call(#name, false); return call ? NOT_SUPPORTED : call.result; }
NOT_THERE(cuGLGetDevices_v2)
NOT_THERE(cuGraphicsGLRegisterBuffer)
NOT_THERE(cuGraphicsGLRegisterImage)
NOT_THERE(cuGraphicsMapResources)
NOT_THERE(cuGraphicsResourceGetMappedPointer_v2)
NOT_THERE(cuGraphicsResourceSetMapFlags_v2)
NOT_THERE(cuGraphicsSubResourceGetMappedArray)
NOT_THERE(cuGraphicsUnmapResources)
NOT_THERE(cuGraphicsUnregisterResource)
NOT_THERE(cuDestroyExternalMemory)
NOT_THERE(cuDestroyExternalSemaphore)
NOT_THERE(cuExternalMemoryGetMappedBuffer)
NOT_THERE(cuExternalMemoryGetMappedMipmappedArray)
NOT_THERE(cuImportExternalMemory)
NOT_THERE(cuImportExternalSemaphore)
NOT_THERE(cuSignalExternalSemaphoresAsync)
NOT_THERE(cuWaitExternalSemaphoresAsync)
NOT_THERE(cuIpcCloseMemHandle)
NOT_THERE(cuIpcGetEventHandle)
NOT_THERE(cuIpcGetMemHandle)
NOT_THERE(cuIpcOpenEventHandle)
NOT_THERE(cuIpcOpenMemHandle_v2)
NOT_THERE(cuIpcOpenMemHandle)
NOT_THERE(cuMemAddressFree)
NOT_THERE(cuMemAddressReserve)
NOT_THERE(cuMemCreate)
NOT_THERE(cuMemExportToShareableHandle)
NOT_THERE(cuMemGetAccess)
NOT_THERE(cuMemGetAllocationGranularity)
NOT_THERE(cuMemGetAllocationPropertiesFromHandle)
NOT_THERE(cuMemImportFromShareableHandle)
NOT_THERE(cuMemMap)
NOT_THERE(cuMemPoolCreate)
NOT_THERE(cuMemPoolDestroy)
NOT_THERE(cuMemPoolGetAttribute)
NOT_THERE(cuMemPoolSetAttribute)
NOT_THERE(cuMemPoolTrimTo)
NOT_THERE(cuMemAllocFromPoolAsync)
NOT_THERE(cuDeviceGetDefaultMemPool)
NOT_THERE(cuDeviceGetMemPool)
NOT_THERE(cuDeviceSetMemPool)
NOT_THERE(cuMemRelease)
NOT_THERE(cuMemRetainAllocationHandle)
NOT_THERE(cuMemSetAccess)
NOT_THERE(cuMemUnmap)
NOT_THERE(cuMemAllocManaged)
NOT_THERE(cuStreamBeginCapture_v2)
NOT_THERE(cuStreamEndCapture)
NOT_THERE(cuGraphInstantiateWithFlags)
NOT_THERE(cuGraphLaunch)
NOT_THERE(cuGraphDestroy)
NOT_THERE(cuGraphExecDestroy)
NOT_THERE(cuLaunchCooperativeKernel)
