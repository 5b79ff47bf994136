// The calls' common beginning: counting, the log, injected failures, lost contexts; and what tests ask of the stand-in.
#include "driver.h"

#include <cstdio>
#include <cstring>

namespace standin {

State& state() {
  // Never destroyed: threads of GStreamer may still be running when the process ends.
  static State* state = new State;
  return *state;
}

void problem(const std::string& text) {
  state().problems += text + "\n";
  std::fprintf(stderr, "stand-in CUDA driver: %s\n", text.c_str());
}

void count(const std::string& name, unsigned long long n) { state().counters[name] += n; }

std::vector<Context*>& context_stack() {
  static thread_local std::vector<Context*> stack;
  return stack;
}

Context* current() {
  auto& stack = context_stack();
  if (stack.empty() || !stack.back()) return nullptr;
  return stack.back();
}

Call::Call(const char* name, bool needs_context, bool needs_init) : lock(state().lock), result(SUCCESS) {
  State& s = state();
  count(std::string("call ") + name);
  if (s.logging) s.log += std::string(name) + "\n";
  if (needs_init && !s.initialised) {
    result = NOT_INITIALIZED;
    return;
  }
  Context* context = current();
  if (needs_context) {
    if (!context) {
      result = INVALID_CONTEXT;
      return;
    }
    if (!s.contexts.count(context)) {
      result = CONTEXT_IS_DESTROYED;
      return;
    }
    if (context->dead != SUCCESS) {
      result = context->dead;
      return;
    }
  }
  for (auto& failure : s.failures) {
    if (std::strncmp(name, failure.call.c_str(), failure.call.size()) != 0) continue;
    if (failure.after > 0) {
      failure.after--;
      continue;
    }
    if (failure.times == 0) continue;
    if (failure.times != ~0ul) failure.times--;
    if (failure.sticky) {
      for (Context* each : s.contexts) each->dead = failure.code;
    }
    count(std::string("failed ") + name);
    result = failure.code;
    return;
  }
}

}  // namespace standin

using namespace standin;

// --- What tests ask for. The names are looked up with dlsym by tests/src/gpu.rs. ---

// The machine: settings hold from now on. Contexts that are there stay.
EXPORT void standin_set(const char* what, long long value) {
  State& s = state();
  std::lock_guard<std::mutex> held(s.lock);
  std::string name = what;
  if (name == "devices") s.devices = (int)value;
  if (name == "driver") s.driver = (int)value;
  if (name == "compute") s.compute_major = (int)value / 10, s.compute_minor = (int)value % 10;
  if (name == "memory") s.memory = (size_t)value;
  if (name == "mig") s.mig = value != 0;
  if (name == "schedule") s.schedule = (int)value;
  if (name == "forget problems") s.problems.clear();
  if (name == "log") s.logging = value != 0, s.log.clear();
}

EXPORT void standin_fail(const char* call, int code, unsigned long after, unsigned long times, int sticky) {
  State& s = state();
  std::lock_guard<std::mutex> held(s.lock);
  s.failures.push_back({call, code, after, times, sticky != 0});
}

// As new: settings, failures, counters, log and problems. What lives goes on living, and lost contexts are found again.
EXPORT void standin_reset() {
  State& s = state();
  std::unique_lock<std::mutex> held(s.lock);
  drain_all(held);
  s.devices = 1;
  s.driver = 13050;
  s.compute_major = 8, s.compute_minor = 6;
  s.memory = size_t(8) << 30;
  s.mig = false;
  s.schedule = 0;
  s.primary_flags.clear();
  s.failures.clear();
  s.counters.clear();
  s.logging = false;
  s.log.clear();
  s.problems.clear();
  for (Context* context : s.contexts) context->dead = SUCCESS;
}

EXPORT unsigned long long standin_count(const char* name) {
  State& s = state();
  std::lock_guard<std::mutex> held(s.lock);
  std::string what = name;
  if (what == "live allocations") return s.allocations.size();
  if (what == "live bytes") {
    unsigned long long bytes = 0;
    for (auto& [start, allocation] : s.allocations) bytes += allocation.size;
    return bytes;
  }
  if (what == "live pinned") return s.pinned.size();
  if (what == "live streams") return s.streams.size();
  if (what == "live events") return s.events.size();
  if (what == "live contexts") return s.contexts.size();
  auto found = s.counters.find(what);
  return found == s.counters.end() ? 0 : found->second;
}

// Copies a text ("log", "problems", "counters") into `out`; returns its length, which may be more than `size`.
EXPORT size_t standin_text(const char* what, char* out, size_t size) {
  State& s = state();
  std::lock_guard<std::mutex> held(s.lock);
  std::string text;
  if (!std::strcmp(what, "log")) text = s.log;
  if (!std::strcmp(what, "problems")) {
    check_all_guards("end of the test");
    text = s.problems;
  }
  if (!std::strcmp(what, "counters")) {
    for (auto& [name, n] : s.counters) text += name + " " + std::to_string(n) + "\n";
  }
  if (out && size) {
    size_t n = text.size() < size ? text.size() : size;
    std::memcpy(out, text.data(), n);
  }
  return text.size();
}
