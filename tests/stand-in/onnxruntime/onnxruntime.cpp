// A libonnxruntime.so with CUDA and TensorRT, for tests: the real library for CPUs, with some functions of its table replaced.
// Provider options are recorded; "CUDA" memory comes from the stand-in driver; sessions run on the CPU, on that memory.
//
// What a session computes appears in its outputs only when its CUDA stream gets there: until then they are full of 0xFF
// bytes, so that whoever reads without waiting gets NaN. Before a run the stream is drained, as the run would come after it.
#include <dlfcn.h>

#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Of the stand-in driver.
extern "C" {
int cuStreamGetCtx(void* stream, void** context);
int cuCtxPushCurrent_v2(void* context);
int cuCtxPopCurrent_v2(void** context);
int cuDevicePrimaryCtxRetain(void** context, int device);
int cuMemAlloc_v2(unsigned long long* address, size_t bytes);
int cuMemFree_v2(unsigned long long address);
int standin_drain(void* stream);
int standin_enqueue(void* stream, void (*work)(void*), void* data);
int standin_is_device(unsigned long long address);
const char* standin_error(int code);
}

namespace {

using Status = void*;

// Places in OrtApi (onnxruntime_c_api.h), whose order never changes.
enum Slot {
  CREATE_STATUS = 0,
  CREATE_SESSION = 7,
  CREATE_SESSION_FROM_ARRAY = 8,
  CREATE_TENSOR = 48,
  GET_TENSOR_DATA = 51,
  GET_ELEMENT_TYPE = 60,
  GET_RANK = 61,
  GET_DIMENSIONS = 62,
  GET_TYPE_AND_SHAPE = 65,
  CREATE_MEMORY_INFO = 68,
  CREATE_CPU_MEMORY_INFO = 69,
  RELEASE_MEMORY_INFO = 94,
  RELEASE_SESSION = 95,
  RELEASE_VALUE = 96,
  RELEASE_TYPE_AND_SHAPE = 99,
  RELEASE_SESSION_OPTIONS = 100,
  GET_PROVIDERS = 125,
  RELEASE_PROVIDERS = 126,
  ADD_SESSION_CONFIG = 130,
  CREATE_ALLOCATOR = 131,
  RELEASE_ALLOCATOR = 132,
  RUN_WITH_BINDING = 133,
  CREATE_BINDING = 134,
  RELEASE_BINDING = 135,
  BIND_OUTPUT = 137,
  BIND_OUTPUT_TO_DEVICE = 138,
  GET_BOUND_VALUES = 140,
  CLEAR_BOUND_OUTPUTS = 142,
  APPEND_TENSORRT = 170,
  CREATE_TENSORRT = 171,
  UPDATE_TENSORRT = 172,
  RELEASE_TENSORRT = 174,
  APPEND_CUDA = 204,
  CREATE_CUDA = 205,
  UPDATE_CUDA = 206,
  RELEASE_CUDA = 208,
  UPDATE_TENSORRT_VALUE = 261,
  GET_TENSORRT_VALUE = 262,
  UPDATE_CUDA_VALUE = 263,
  GET_CUDA_VALUE = 264,
};
const int NEWEST = 24;    // the version of the interface that is known here
const int ENTRIES = 415;  // functions in its table

void* real[ENTRIES];
void* ours[ENTRIES];

template <typename... Arguments>
Status call(Slot slot, Arguments... arguments) {
  return ((Status(*)(Arguments...))real[slot])(arguments...);
}
template <typename... Arguments>
void release(Slot slot, Arguments... arguments) {
  ((void (*)(Arguments...))real[slot])(arguments...);
}

Status failure(const std::string& text) { return call(CREATE_STATUS, 1, text.c_str()); }

// Options of a provider, as Create…ProviderOptions makes them.
struct Options {
  std::string provider;
  std::map<std::string, std::string> texts;
  std::map<std::string, void*> values;
  void* stream() const {
    auto found = values.find("user_compute_stream");
    return found == values.end() ? nullptr : found->second;
  }
  int device() const {
    auto found = texts.find("device_id");
    return found == texts.end() ? 0 : std::atoi(found->second.c_str());
  }
};

// OrtAllocator, as far as version 17 goes.
struct Allocator {
  uint32_t version = 17;
  void* (*allocate)(Allocator*, size_t);
  void (*free)(Allocator*, void*);
  const void* (*info)(const Allocator*);
  void* memory_info = nullptr;
  void* context = nullptr;
};

struct Session {
  void* stream = nullptr;
  int device = 0;
};

struct Binding {
  void* session = nullptr;
  bool to_device = false;
  std::vector<void*> values;  // outputs with a place of their own
};

struct Failure {
  std::string where, text;
  unsigned long after, times;
};

struct State {
  std::mutex lock;
  std::map<const void*, std::vector<Options>> appended;  // by session options
  std::map<const void*, Session> sessions;               // those with CUDA
  std::map<const void*, Binding> bindings;
  std::set<const void*> device_infos;
  std::set<Allocator*> allocators;
  std::vector<Failure> failures;
  std::map<std::string, unsigned long long> counters;
  std::string log;
  bool providers = true;
  long pause_after = -1;  // runs until the one that stops; -1: none does
  bool paused = false;
  std::condition_variable resumed;
};

State& state() {
  static State* state = new State;
  return *state;
}

// The text of a failure that is due, or null.
const std::string* due(const char* where) {
  state().counters[where]++;
  for (auto& failure : state().failures) {
    if (failure.where != where) continue;
    if (failure.after > 0) {
      failure.after--;
      continue;
    }
    if (failure.times == 0) continue;
    if (failure.times != ~0ul) failure.times--;
    return &failure.text;
  }
  return nullptr;
}

using Held = std::lock_guard<std::mutex>;

// Stops the run that a test wants to look at from inside.
void pause_if_due() {
  std::unique_lock<std::mutex> held(state().lock);
  if (state().pause_after < 0 || state().pause_after-- > 0) return;
  state().counters["paused"]++;
  state().paused = true;
  state().resumed.wait(held, [] { return !state().paused; });
}

// --- Providers and their options ---

Status get_providers(char*** out, int* count) {
  char** there = nullptr;
  int n = 0;
  if (Status status = call(GET_PROVIDERS, &there, &n)) return status;
  std::vector<std::string> names(there, there + n);
  call(RELEASE_PROVIDERS, there, n);
  if (state().providers) names.insert(names.begin(), {"TensorrtExecutionProvider", "CUDAExecutionProvider"});
  char** list = new char*[names.size()];
  for (size_t i = 0; i < names.size(); i++) list[i] = strdup(names[i].c_str());
  *out = list;
  *count = (int)names.size();
  return nullptr;
}

Status release_providers(char** list, int count) {
  for (int i = 0; i < count; i++) std::free(list[i]);
  delete[] list;
  return nullptr;
}

Status create_cuda(Options** out) {
  *out = new Options{"cuda", {}, {}};
  return nullptr;
}
Status create_tensorrt(Options** out) {
  *out = new Options{"tensorrt", {}, {}};
  return nullptr;
}
void release_options(Options* options) { delete options; }

Status update(Options* options, const char* const* keys, const char* const* values, size_t n) {
  for (size_t i = 0; i < n; i++) options->texts[keys[i]] = values[i];
  return nullptr;
}
Status update_value(Options* options, const char* key, void* value) {
  options->values[key] = value;
  return nullptr;
}
Status get_value(const Options* options, const char* key, void** out) {
  auto found = options->values.find(key);
  if (found == options->values.end()) return failure(std::string("no such option: ") + key);
  *out = found->second;
  return nullptr;
}

Status append(void* session_options, const Options* options) {
  Held held(state().lock);
  if (auto* text = due(("append " + options->provider).c_str())) return failure(*text);
  state().appended[session_options].push_back(*options);
  std::string line = "append " + options->provider;
  for (auto& [key, value] : options->texts) line += " " + key + "=" + value;
  state().log += line + "\n";
  return nullptr;
}

// What would refuse the CPU, which is all there is behind this, is left out.
Status add_session_config(void* options, const char* key, const char* value) {
  {
    Held held(state().lock);
    state().log += std::string("config ") + key + "=" + value + "\n";
  }
  if (!std::strcmp(key, "session.disable_cpu_ep_fallback")) return nullptr;
  return call(ADD_SESSION_CONFIG, options, key, value);
}

void release_session_options(void* options) {
  {
    Held held(state().lock);
    state().appended.erase(options);
  }
  release(RELEASE_SESSION_OPTIONS, options);
}

// --- Sessions ---

Status note_session(const void* options, void* session) {
  Held held(state().lock);
  auto found = state().appended.find(options);
  if (found == state().appended.end()) return nullptr;
  // The last one: CUDA stands behind TensorRT.
  const Options& last = found->second.back();
  state().sessions[session] = {last.stream(), last.device()};
  state().log += "session\n";
  return nullptr;
}

const std::string* session_failure(const void* options) {
  Held held(state().lock);
  return state().appended.count(options) ? due("session") : nullptr;
}

Status create_session(const void* env, const void* path, const void* options, void** out) {
  if (auto* text = session_failure(options)) return failure(*text);
  Status status = call(CREATE_SESSION, env, path, options, out);
  return status ? status : note_session(options, *out);
}

Status create_session_from_array(const void* env, const void* data, size_t size, const void* options, void** out) {
  if (auto* text = session_failure(options)) return failure(*text);
  Status status = call(CREATE_SESSION_FROM_ARRAY, env, data, size, options, out);
  return status ? status : note_session(options, *out);
}

void release_session(void* session) {
  {
    Held held(state().lock);
    state().sessions.erase(session);
  }
  release(RELEASE_SESSION, session);
}

// --- Memory ---

Status create_memory_info(const char* name, int type, int device, int memory, void** out) {
  if (std::strcmp(name, "Cuda") != 0) return call(CREATE_MEMORY_INFO, name, type, device, memory, out);
  // For the CPU behind this it is host memory.
  Status status = call(CREATE_CPU_MEMORY_INFO, 0, 0, out);
  if (status) return status;
  Held held(state().lock);
  state().device_infos.insert(*out);
  return nullptr;
}

void release_memory_info(void* info) {
  {
    Held held(state().lock);
    state().device_infos.erase(info);
  }
  release(RELEASE_MEMORY_INFO, info);
}

void* allocate(Allocator* allocator, size_t bytes) {
  {
    Held held(state().lock);
    if (auto* text = due("allocate")) throw std::runtime_error(*text);
  }
  unsigned long long address = 0;
  cuCtxPushCurrent_v2(allocator->context);
  int result = cuMemAlloc_v2(&address, bytes ? bytes : 1);
  cuCtxPopCurrent_v2(nullptr);
  if (result != 0) {
    throw std::runtime_error(std::string("CUDA failure ") + std::to_string(result) + ": " + standin_error(result) +
                             " ; GPU=0 ; expr=cudaMalloc((void**)&p, size); Failed to allocate memory for requested buffer of size " +
                             std::to_string(bytes));
  }
  return (void*)address;
}

void free_memory(Allocator* allocator, void* address) {
  if (!address) return;
  cuCtxPushCurrent_v2(allocator->context);
  cuMemFree_v2((unsigned long long)address);
  cuCtxPopCurrent_v2(nullptr);
}

// Where a session's memory is: the context of its stream, or the device's primary one.
void* context_of(const Session& session) {
  void* context = nullptr;
  if (session.stream) cuStreamGetCtx(session.stream, &context);
  else cuDevicePrimaryCtxRetain(&context, session.device);
  return context;
}

Allocator* new_allocator(const Session& session) {
  Allocator* allocator = new Allocator;
  allocator->allocate = allocate;
  allocator->free = free_memory;
  allocator->info = [](const Allocator* self) -> const void* { return self->memory_info; };
  call(CREATE_CPU_MEMORY_INFO, 0, 0, &allocator->memory_info);
  allocator->context = context_of(session);
  return allocator;
}

Status create_allocator(const void* session, const void* info, void** out) {
  Session found;
  {
    Held held(state().lock);
    auto known = state().sessions.find(session);
    if (known == state().sessions.end() || !state().device_infos.count(info)) return call(CREATE_ALLOCATOR, session, info, out);
    found = known->second;
  }
  Allocator* allocator = new_allocator(found);
  Held held(state().lock);
  state().allocators.insert(allocator);
  *out = allocator;
  return nullptr;
}

// Not deleted: tensors made with it give their memory back through it, whenever they go.
void release_allocator(Allocator* allocator) {
  Held held(state().lock);
  if (!state().allocators.erase(allocator)) release(RELEASE_ALLOCATOR, allocator);
}

// --- Runs ---

struct Late {
  std::vector<unsigned char> bytes;
  void* to;
};

void arrive(void* data) {
  std::unique_ptr<Late> late((Late*)data);
  std::memcpy(late->to, late->bytes.data(), late->bytes.size());
}

// What lies at `at` is what the stream will have put there once it gets to it.
Status put_off(void* stream, void* at, std::vector<unsigned char> bytes) {
  std::memset(at, 0xff, bytes.size());
  Late* late = new Late{std::move(bytes), at};
  if (int result = standin_enqueue(stream, arrive, late)) {
    delete late;
    return failure(std::string("CUDA failure ") + std::to_string(result) + ": " + standin_error(result));
  }
  return nullptr;
}

size_t element_size(int type) {
  switch (type) {
    case 2: case 3: case 9: return 1;                      // 8 bits, bool
    case 4: case 5: case 10: case 16: return 2;            // 16 bits, halves
    case 7: case 11: case 13: return 8;                    // 64 bits
    default: return 4;
  }
}

struct Tensor {
  std::vector<int64_t> shape;
  int type = 0;
  void* data = nullptr;
  size_t bytes = 0;
};

Status look(void* value, Tensor* out) {
  void* info = nullptr;
  if (Status status = call(GET_TYPE_AND_SHAPE, value, &info)) return status;
  size_t rank = 0;
  Status status = call(GET_ELEMENT_TYPE, info, &out->type);
  if (!status) status = call(GET_RANK, info, &rank);
  out->shape.resize(rank);
  if (!status) status = call(GET_DIMENSIONS, info, out->shape.data(), rank);
  release(RELEASE_TYPE_AND_SHAPE, info);
  if (!status) status = call(GET_TENSOR_DATA, value, &out->data);
  out->bytes = element_size(out->type);
  for (int64_t n : out->shape) out->bytes *= (size_t)n;
  return status;
}

Status run_with_binding(void* session, const void* run_options, void* binding) {
  Session found;
  std::vector<void*> values;
  {
    Held held(state().lock);
    auto known = state().sessions.find(session);
    if (known == state().sessions.end()) return call(RUN_WITH_BINDING, session, run_options, binding);
    if (auto* text = due("run")) return failure(*text);
    found = known->second;
    values = state().bindings[binding].values;
  }
  pause_if_due();
  if (int result = standin_drain(found.stream))
    return failure(std::string("CUDA failure ") + std::to_string(result) + ": " + standin_error(result));
  if (Status status = call(RUN_WITH_BINDING, session, run_options, binding)) return status;
  for (void* value : values) {
    Tensor tensor;
    if (Status status = look(value, &tensor)) return status;
    if (!tensor.bytes || !standin_is_device((unsigned long long)tensor.data)) continue;
    const unsigned char* start = (const unsigned char*)tensor.data;
    if (Status status = put_off(found.stream, tensor.data, {start, start + tensor.bytes})) return status;
  }
  return nullptr;
}

Status create_binding(void* session, void** out) {
  Status status = call(CREATE_BINDING, session, out);
  if (status) return status;
  Held held(state().lock);
  state().bindings[*out].session = session;
  return nullptr;
}

void release_binding(void* binding) {
  {
    Held held(state().lock);
    state().bindings.erase(binding);
  }
  release(RELEASE_BINDING, binding);
}

Status bind_output(void* binding, const char* name, void* value) {
  {
    Held held(state().lock);
    state().bindings[binding].values.push_back(value);
  }
  return call(BIND_OUTPUT, binding, name, value);
}

Status bind_output_to_device(void* binding, const char* name, const void* info) {
  {
    Held held(state().lock);
    if (state().device_infos.count(info)) state().bindings[binding].to_device = true;
  }
  return call(BIND_OUTPUT_TO_DEVICE, binding, name, info);
}

void clear_bound_outputs(void* binding) {
  {
    Held held(state().lock);
    state().bindings[binding].values.clear();
    state().bindings[binding].to_device = false;
  }
  release(CLEAR_BOUND_OUTPUTS, binding);
}

// Outputs that were to be made on the device: in their place come tensors in its memory.
Status get_bound_values(const void* binding, void* allocator, void*** out, size_t* count) {
  if (Status status = call(GET_BOUND_VALUES, binding, allocator, out, count)) return status;
  Session session;
  {
    Held held(state().lock);
    auto bound = state().bindings.find(binding);
    if (bound == state().bindings.end() || !bound->second.to_device) return nullptr;
    auto known = state().sessions.find(bound->second.session);
    if (known == state().sessions.end()) return nullptr;
    session = known->second;
  }
  Allocator* device = new_allocator(session);  // lives as long as the tensors, which nobody knows
  for (size_t i = 0; i < *count; i++) {
    Tensor host, on_device;
    if (Status status = look((*out)[i], &host)) return status;
    void* value = nullptr;
    if (Status status = call(CREATE_TENSOR, device, host.shape.data(), host.shape.size(), host.type, &value)) return status;
    if (Status status = look(value, &on_device)) return status;
    const unsigned char* start = (const unsigned char*)host.data;
    Status status = host.bytes ? put_off(session.stream, on_device.data, {start, start + host.bytes}) : nullptr;
    release(RELEASE_VALUE, (*out)[i]);
    (*out)[i] = value;
    if (status) return status;
  }
  return nullptr;
}

// --- The table ---

struct ApiBase {
  const void* (*api)(uint32_t version);
  const char* (*version)();
};
const ApiBase* real_base = nullptr;

const void* api(uint32_t version) {
  if (!real_base || version > (uint32_t)NEWEST) return nullptr;
  const void* table = real_base->api(version);
  if (!table) return nullptr;
  std::memcpy(real, table, sizeof real);
  std::memcpy(ours, real, sizeof ours);
  ours[CREATE_SESSION] = (void*)create_session;
  ours[CREATE_SESSION_FROM_ARRAY] = (void*)create_session_from_array;
  ours[CREATE_MEMORY_INFO] = (void*)create_memory_info;
  ours[RELEASE_MEMORY_INFO] = (void*)release_memory_info;
  ours[RELEASE_SESSION] = (void*)release_session;
  ours[RELEASE_SESSION_OPTIONS] = (void*)release_session_options;
  ours[GET_PROVIDERS] = (void*)get_providers;
  ours[RELEASE_PROVIDERS] = (void*)release_providers;
  ours[ADD_SESSION_CONFIG] = (void*)add_session_config;
  ours[CREATE_ALLOCATOR] = (void*)create_allocator;
  ours[RELEASE_ALLOCATOR] = (void*)release_allocator;
  ours[RUN_WITH_BINDING] = (void*)run_with_binding;
  ours[CREATE_BINDING] = (void*)create_binding;
  ours[RELEASE_BINDING] = (void*)release_binding;
  ours[BIND_OUTPUT] = (void*)bind_output;
  ours[BIND_OUTPUT_TO_DEVICE] = (void*)bind_output_to_device;
  ours[GET_BOUND_VALUES] = (void*)get_bound_values;
  ours[CLEAR_BOUND_OUTPUTS] = (void*)clear_bound_outputs;
  ours[APPEND_TENSORRT] = ours[APPEND_CUDA] = (void*)append;
  ours[CREATE_TENSORRT] = (void*)create_tensorrt;
  ours[CREATE_CUDA] = (void*)create_cuda;
  ours[UPDATE_TENSORRT] = ours[UPDATE_CUDA] = (void*)update;
  ours[RELEASE_TENSORRT] = ours[RELEASE_CUDA] = (void*)release_options;
  ours[UPDATE_TENSORRT_VALUE] = ours[UPDATE_CUDA_VALUE] = (void*)update_value;
  ours[GET_TENSORRT_VALUE] = ours[GET_CUDA_VALUE] = (void*)get_value;
  return ours;
}

const char* version() { return real_base ? real_base->version() : "0"; }

}  // namespace

EXPORT int standin_ort_open(const char* path);

EXPORT const ApiBase* OrtGetApiBase() {
  // A program that a test starts says by its environment what a test says by standin_ort_open().
  if (const char* path = real_base ? nullptr : getenv("STAND_IN_ONNXRUNTIME")) standin_ort_open(path);
  static const ApiBase base = {api, version};
  return &base;
}

// --- What tests ask for ---

// The library that is wrapped; 0 if it cannot be opened.
EXPORT int standin_ort_open(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  auto* get = library ? (const ApiBase* (*)())dlsym(library, "OrtGetApiBase") : nullptr;
  real_base = get ? get() : nullptr;
  return real_base != nullptr;
}

EXPORT void standin_ort_providers(int there) {
  Held held(state().lock);
  state().providers = there != 0;
}

EXPORT void standin_ort_fail(const char* where, const char* text, unsigned long after, unsigned long times) {
  Held held(state().lock);
  state().failures.push_back({where, text, after, times});
}

// The run after `after` more stops in its middle, until `standin_ort_resume()`; the counter "paused" tells when it has.
EXPORT void standin_ort_pause(unsigned long after) {
  Held held(state().lock);
  state().pause_after = (long)after;
}

EXPORT void standin_ort_resume() {
  Held held(state().lock);
  state().pause_after = -1;
  state().paused = false;
  state().resumed.notify_all();
}

EXPORT void standin_ort_reset() {
  standin_ort_resume();
  Held held(state().lock);
  state().failures.clear();
  state().counters.clear();
  state().log.clear();
  state().providers = true;
}

EXPORT unsigned long long standin_ort_count(const char* name) {
  Held held(state().lock);
  auto found = state().counters.find(name);
  return found == state().counters.end() ? 0 : found->second;
}

EXPORT size_t standin_ort_log(char* out, size_t size) {
  Held held(state().lock);
  if (out) std::memcpy(out, state().log.data(), state().log.size() < size ? state().log.size() : size);
  return state().log.size();
}
