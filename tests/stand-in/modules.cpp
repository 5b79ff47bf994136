// Modules and launches. A module is PTX text: the stand-in reads from it which kernels there are and how large their
// parameters are, and runs the kernel of that name that was compiled from the same source by g++.
#include "driver.h"

#include "cpu_shim.h"

#include <setjmp.h>
#include <signal.h>

#include <cctype>
#include <cstdlib>
#include <cstring>

const facialads_shim::Kernel* facialads_shim::kernels = nullptr;

namespace standin {
namespace {

const facialads_shim::Kernel* compiled_in(const std::string& name) {
  for (auto* kernel = facialads_shim::kernels; kernel; kernel = kernel->next)
    if (name == kernel->name) return kernel;
  return nullptr;
}

// --- PTX ---

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::string word;
  for (char c : text) {
    if (std::isalnum((unsigned char)c) || c == '_' || c == '$' || c == '.' || c == '%') {
      word += c;
      continue;
    }
    if (!word.empty()) out.push_back(word), word.clear();
    if (!std::isspace((unsigned char)c)) out.push_back(std::string(1, c));
  }
  if (!word.empty()) out.push_back(word);
  return out;
}

unsigned long scalar_size(const std::string& type) {
  if (type.size() < 3 || type[0] != '.') return 0;
  return std::strtoul(type.c_str() + 2, nullptr, 10) / 8;
}

struct Ptx {
  int version = 0;  // 84 is 8.4
  int target = 0;   // 86 is sm_86
  std::map<std::string, std::vector<unsigned long>> entries;
};

// One parameter: `.param .align 8 .b8 fill_param_0[24]` or `.param .u64 name`.
unsigned long param_size(const std::vector<std::string>& param) {
  unsigned long element = 0, n = 1;
  for (size_t i = 0; i < param.size(); i++) {
    if (param[i] == ".align") i++;
    else if (param[i] == "[" && i + 1 < param.size()) n = std::strtoul(param[i + 1].c_str(), nullptr, 10);
    else if (unsigned long size = scalar_size(param[i])) element = size;
  }
  return element * n;
}

Ptx read_ptx(const char* text) {
  Ptx ptx;
  std::string stripped;
  for (const char* at = text; *at;) {
    if (at[0] == '/' && at[1] == '/') {
      while (*at && *at != '\n') at++;
    } else {
      stripped += *at++;
    }
  }
  std::vector<std::string> w = words(stripped);
  for (size_t i = 0; i + 1 < w.size(); i++) {
    if (w[i] == ".version") ptx.version = (int)(std::strtod(w[i + 1].c_str(), nullptr) * 10 + 0.5);
    if (w[i] == ".target" && w[i + 1].compare(0, 3, "sm_") == 0) ptx.target = std::atoi(w[i + 1].c_str() + 3);
    if (w[i] != ".entry") continue;
    std::vector<unsigned long> sizes;
    size_t j = i + 2;
    if (j < w.size() && w[j] == "(") {
      std::vector<std::string> param;
      for (j++; j < w.size(); j++) {
        if (w[j] == "," || w[j] == ")") {
          if (!param.empty()) sizes.push_back(param_size(param));
          param.clear();
          if (w[j] == ")") break;
        } else {
          param.push_back(w[j]);
        }
      }
    }
    ptx.entries[w[i + 1]] = sizes;
  }
  return ptx;
}

// The newest PTX that a driver of that version takes, as 84 for 8.4 (table "PTX ISA version" of NVIDIA's PTX manual).
int newest_ptx(int driver) {
  int major = driver / 1000, minor = driver % 1000 / 10;
  if (major >= 13) return (major - 4) * 10 + minor;
  if (major == 12) return 80 + (minor >= 6 ? minor - 1 : minor);
  return (major - 4) * 10 + minor;
}

// --- Running a kernel: bad accesses and undefined behaviour come back as errors ---

thread_local sigjmp_buf* landing = nullptr;
thread_local int landed_signal = 0;
thread_local Address landed_address = 0;
struct sigaction before_segv, before_bus, before_ill, before_fpe;

void on_signal(int number, siginfo_t* info, void* context) {
  if (landing) {
    landed_signal = number;
    landed_address = (Address)info->si_addr;
    siglongjmp(*landing, 1);
  }
  const struct sigaction& before = number == SIGSEGV  ? before_segv
                                   : number == SIGBUS ? before_bus
                                   : number == SIGILL ? before_ill
                                                      : before_fpe;
  if ((before.sa_flags & SA_SIGINFO) && before.sa_sigaction) return before.sa_sigaction(number, info, context);
  if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
    signal(number, SIG_DFL);
    raise(number);
    return;
  }
  before.sa_handler(number);
}

void install_handlers() {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &before_segv);
  sigaction(SIGBUS, &action, &before_bus);
  sigaction(SIGILL, &action, &before_ill);
  sigaction(SIGFPE, &action, &before_fpe);
}

int run(const facialads_shim::Kernel* kernel, facialads_shim::Dim3 grid, facialads_shim::Dim3 block, const void* params) {
  static std::once_flag once;
  std::call_once(once, install_handlers);
  sigjmp_buf here;
  sigjmp_buf* outer = landing;
  if (sigsetjmp(here, 1)) {
    landing = outer;
    std::lock_guard<std::mutex> held(state().lock);
    char at[64];
    std::snprintf(at, sizeof at, " at address 0x%llx", landed_address);
    if (landed_signal == SIGSEGV || landed_signal == SIGBUS) {
      problem(std::string("kernel ") + kernel->name + " touched memory that it may not" + at);
      return ILLEGAL_ADDRESS;
    }
    problem(std::string("kernel ") + kernel->name +
            " did what C++ does not define: a misaligned access, a number out of the range of the type it is converted to, "
            "a division by nought or a shift too far");
    return LAUNCH_FAILED;
  }
  landing = &here;
  kernel->run(grid, block, params);
  landing = outer;
  return SUCCESS;
}

}  // namespace
}  // namespace standin

using namespace standin;

EXPORT int cuModuleLoadData(Module** out, const void* image) {
  Call call("cuModuleLoadData", true);
  if (!call) return call.result;
  if (!out || !image) return INVALID_VALUE;
  const char* text = (const char*)image;
  if (!std::memcmp(text, "\x7f" "ELF", 4)) return NO_BINARY_FOR_GPU;  // cubins: the stand-in reads PTX only
  Ptx ptx = read_ptx(text);
  if (!ptx.version || !ptx.target) return INVALID_IMAGE;
  if (ptx.version > newest_ptx(state().driver)) return UNSUPPORTED_PTX_VERSION;
  if (ptx.target > state().compute_major * 10 + state().compute_minor) return NO_BINARY_FOR_GPU;
  Module* module = new Module{current(), ptx.entries, true};
  state().modules.insert(module);
  current()->modules.insert(module);
  *out = module;
  return SUCCESS;
}

EXPORT int cuModuleLoadDataEx(Module** out, const void* image, unsigned, int*, void**) { return cuModuleLoadData(out, image); }

EXPORT int cuModuleUnload(Module* module) {
  Call call("cuModuleUnload", true);
  if (!call) return call.result;
  if (!state().modules.count(module)) return INVALID_HANDLE;
  drain_context(call.lock, module->context);
  auto& functions = state().functions;
  for (auto it = functions.begin(); it != functions.end();)
    it = it->second->module == module ? functions.erase(it) : std::next(it);
  module->context->modules.erase(module);
  state().modules.erase(module);
  delete module;
  return SUCCESS;
}

EXPORT int cuModuleGetFunction(void** out, Module* module, const char* name) {
  Call call("cuModuleGetFunction", true);
  if (!call) return call.result;
  if (!out || !name) return INVALID_VALUE;
  if (!state().modules.count(module)) return INVALID_HANDLE;
  if (!module->entries.count(name)) return NOT_FOUND;
  for (auto& [handle, function] : state().functions)
    if (function->module == module && function->name == name) {
      *out = handle;
      return SUCCESS;
    }
  auto function = std::make_unique<Function>(Function{module, name});
  *out = function.get();
  state().functions[*out] = std::move(function);
  return SUCCESS;
}

EXPORT int cuModuleGetGlobal_v2(Address*, size_t*, Module*, const char*) {
  Call call("cuModuleGetGlobal_v2", true);
  return call ? NOT_FOUND : call.result;
}

EXPORT int cuFuncGetAttribute(int* out, int attribute, void* handle) {
  Call call("cuFuncGetAttribute", true);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (!state().functions.count(handle)) return INVALID_HANDLE;
  switch (attribute) {
    case 0: *out = 1024; break;
    case 4: *out = 32; break;
    case 5: case 6: *out = state().compute_major * 10 + state().compute_minor; break;
    default: *out = 0;
  }
  return SUCCESS;
}

EXPORT int cuFuncSetAttribute(void* handle, int, int) {
  Call call("cuFuncSetAttribute", true);
  return !call ? call.result : state().functions.count(handle) ? SUCCESS : INVALID_HANDLE;
}

EXPORT int cuFuncSetCacheConfig(void* handle, int) {
  Call call("cuFuncSetCacheConfig", true);
  return !call ? call.result : state().functions.count(handle) ? SUCCESS : INVALID_HANDLE;
}

EXPORT int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, void* handle, void*, size_t, int limit) {
  Call call("cuOccupancyMaxPotentialBlockSize", true);
  if (!call) return call.result;
  if (!grid || !block) return INVALID_VALUE;
  if (!state().functions.count(handle)) return INVALID_HANDLE;
  *grid = 56;
  *block = limit > 0 && limit < 256 ? limit : 256;
  return SUCCESS;
}

EXPORT int cuLaunchKernel(void* handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, void* stream_handle, void** params, void** extra) {
  Call call("cuLaunchKernel", true);
  if (!call) return call.result;
  auto found = state().functions.find(handle);
  if (found == state().functions.end()) return INVALID_HANDLE;
  const Function& function = *found->second;
  if (function.module->context != current()) {
    problem("kernel " + function.name + " was loaded in another context");
    return INVALID_HANDLE;
  }
  int error = SUCCESS;
  Stream* stream = stream_of(current(), stream_handle, &error);
  if (!stream) return error;
  const bool blocks = gx && gy && gz && gx <= 2147483647u && gy <= 65535 && gz <= 65535;
  const bool threads = bx && by && bz && bx <= 1024 && by <= 1024 && bz <= 64 && (unsigned long)bx * by * bz <= 1024;
  if (!blocks || !threads || shared > 49152) {
    problem("kernel " + function.name + ": a launch of " + std::to_string(gx) + "x" + std::to_string(gy) + "x" + std::to_string(gz) +
            " blocks of " + std::to_string(bx) + "x" + std::to_string(by) + "x" + std::to_string(bz) + " threads is beyond a device's limits");
    return INVALID_VALUE;
  }
  const facialads_shim::Kernel* kernel = compiled_in(function.name);
  if (!kernel) {
    problem("kernel " + function.name + " is not one that was compiled into the stand-in");
    return NOT_SUPPORTED;
  }
  const auto& sizes = function.module->entries[function.name];
  if (sizes.size() != 1 || sizes[0] != kernel->params_size) {
    problem("kernel " + function.name + " has " + std::to_string(sizes.size()) + " parameters of " +
            std::to_string(sizes.empty() ? 0 : sizes[0]) + " bytes in the PTX and one of " + std::to_string(kernel->params_size) +
            " bytes in C++");
    return INVALID_VALUE;
  }
  // Parameters come as an array of pointers, or as one buffer with its size.
  auto bytes = std::make_shared<std::vector<unsigned char>>(kernel->params_size);
  if (params && !extra) {
    std::memcpy(bytes->data(), params[0], kernel->params_size);
  } else if (extra && !params) {
    const void* buffer = nullptr;
    size_t size = 0;
    for (size_t i = 0; extra[i]; i += 2) {
      if (extra[i] == (void*)1) buffer = extra[i + 1];
      if (extra[i] == (void*)2) size = *(size_t*)extra[i + 1];
    }
    if (!buffer || size != kernel->params_size) {
      problem("kernel " + function.name + " was given " + std::to_string(size) + " bytes of parameters and takes " +
              std::to_string(kernel->params_size));
      return INVALID_VALUE;
    }
    std::memcpy(bytes->data(), buffer, size);
  } else {
    return INVALID_VALUE;
  }
  // Any word of the parameters that is an address of device memory must be of this context and alive. (Such a number
  // that is no address is next to impossible: the range lies beyond 2^46.)
  Context* context = current();
  auto addresses = [bytes, context, name = function.name] {
    for (size_t at = 0; at + 8 <= bytes->size(); at += 8) {
      Address word;
      std::memcpy(&word, bytes->data() + at, 8);
      if (!in_arena(word)) continue;
      const Allocation* found = find(word);
      // One past the end is a fair pointer to hold, as long as nobody follows it.
      if (!found) found = find(word - 1);
      if (!found) {
        problem("kernel " + name + " was given an address that is not allocated (any more), at byte " + std::to_string(at) +
                " of its parameters");
        return (int)ILLEGAL_ADDRESS;
      }
      if (found->context != context && !context->peers.count(found->context)) {
        problem("kernel " + name + " was given memory of another context, at byte " + std::to_string(at) + " of its parameters");
        return (int)ILLEGAL_ADDRESS;
      }
    }
    return (int)SUCCESS;
  };
  count("launches");
  count("launch " + function.name);
  facialads_shim::Dim3 grid{gx, gy, gz}, block{bx, by, bz};
  return submit(call, stream, {"launch " + function.name, addresses, [kernel, grid, block, bytes] {
    int result = run(kernel, grid, block, bytes->data());
    std::lock_guard<std::mutex> held(state().lock);
    check_all_guards(std::string("kernel ") + kernel->name + " had run");
    return result;
  }});
}

EXPORT int cuTexObjectCreate(unsigned long long* out, const void*, const void*, const void*) {
  Call call("cuTexObjectCreate", true);
  if (!call) return call.result;
  static unsigned long long next = 1;
  if (!out) return INVALID_VALUE;
  *out = next++;
  return SUCCESS;
}

EXPORT int cuTexObjectDestroy(unsigned long long) {
  Call call("cuTexObjectDestroy", true);
  return call.result;
}

// Names of the kernels that were compiled in, one a line.
EXPORT size_t standin_kernels(char* out, size_t size) {
  std::string text;
  for (auto* kernel = facialads_shim::kernels; kernel; kernel = kernel->next) text += std::string(kernel->name) + "\n";
  if (out && size) std::memcpy(out, text.data(), text.size() < size ? text.size() : size);
  return text.size();
}
