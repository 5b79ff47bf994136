// State of the stand-in CUDA driver: devices, contexts, allocations, streams, events, modules, injected failures and
// counters. One lock guards all of it; work on a stream runs with the lock released and the stream marked busy.
#pragma once

#include <condition_variable>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace standin {

// Codes of CUresult that the stand-in gives.
enum Result : int {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  PEER_ACCESS_UNSUPPORTED = 217,
  INVALID_PTX = 218,
  UNSUPPORTED_PTX_VERSION = 222,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  PEER_ACCESS_ALREADY_ENABLED = 704,
  PEER_ACCESS_NOT_ENABLED = 705,
  CONTEXT_IS_DESTROYED = 709,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
  UNKNOWN = 999,
};

using Address = unsigned long long;

struct Stream;

// One recording of an event: done once the work before it has run.
struct Mark {
  bool done = false;
  bool timing = true;
  std::chrono::steady_clock::time_point at;
  Stream* stream = nullptr;
};

// One piece of work. `prepare` runs under the lock (checks, events), `work` without it.
struct Op {
  std::string what;
  std::function<int()> prepare;
  std::function<int()> work;
};

struct Context;

struct Stream {
  Context* context;
  unsigned flags;  // 1: non-blocking, does not wait for the default stream
  int priority;
  std::deque<Op> pending;
  bool busy = false;
};

struct Event {
  Context* context;
  unsigned flags;  // 1: blocking sync, 2: no timing
  std::shared_ptr<Mark> mark;
};

struct Module {
  Context* context;
  std::map<std::string, std::vector<unsigned long>> entries;  // kernel → sizes of its parameters, out of the PTX
  bool readable;                                              // false: a binary, whose entries cannot be read
};

struct Function {
  Module* module;
  std::string name;
};

struct Allocation {
  Context* context;
  Address start;
  size_t size;
  Address pages;  // first and end of the pages it lies in; what is not the allocation is guard zone
  Address pages_end;
};

struct Context {
  int device;
  bool primary = false;
  unsigned retained = 0;
  unsigned flags = 0;
  int dead = SUCCESS;  // a sticky error: every later call on the context gives it
  Stream default_stream;
  std::set<Stream*> streams;
  std::set<Event*> events;
  std::set<Module*> modules;
  std::set<Context*> peers;
};

struct Failure {
  std::string call;  // beginning of a call's name; "" is every call
  int code;
  unsigned long after;  // this many calls succeed first
  unsigned long times;  // then this many fail; ~0 for ever
  bool sticky;          // the context is lost with it
};

struct State {
  std::mutex lock;
  std::condition_variable idle;
  // What the machine is.
  int devices = 1;
  int driver = 13050;
  int compute_major = 8, compute_minor = 6;
  size_t memory = size_t(8) << 30;
  bool mig = false;
  int schedule = 0;  // 0: work runs at once; 1: as late as the API allows
  // What lives.
  bool initialised = false;
  std::set<Context*> contexts;
  std::map<int, Context*> primary;
  std::map<int, unsigned> primary_flags;
  std::map<Address, Allocation> allocations;
  std::map<Address, size_t> pinned;
  std::set<Stream*> streams;
  std::set<Event*> events;
  std::set<Module*> modules;
  std::map<void*, std::unique_ptr<Function>> functions;
  // What was asked for, and what tests read.
  std::vector<Failure> failures;
  std::map<std::string, unsigned long long> counters;
  bool logging = false;
  std::string log;
  std::string problems;  // misuse that was noticed: guard zones, foreign memory, undefined behaviour
};

State& state();

// Notes misuse for tests to read.
void problem(const std::string& text);
void count(const std::string& name, unsigned long long n = 1);

// The calling thread's current context; null when there is none.
Context* current();
std::vector<Context*>& context_stack();

// Holds the lock for one call of the API, counts and logs it and answers with an injected failure where one is due.
struct Call {
  std::unique_lock<std::mutex> lock;
  int result;
  Call(const char* name, bool needs_context, bool needs_init = true);
  explicit operator bool() const { return result == SUCCESS; }
};

// Memory.
int allocate(Context* context, size_t size, size_t alignment, Address* out);
int release(Address start);
const Allocation* find(Address address);  // the allocation that holds the address
bool in_arena(Address address);           // device memory, live or freed
bool pinned(Address address, size_t size);
// SUCCESS where [address, address + size) is wholly inside one allocation of `context`.
int check_device(Context* context, Address address, size_t size, const char* what);
void check_guards(const Allocation& allocation, const std::string& after);
void check_all_guards(const std::string& after);
size_t used(int device);

// Streams.
Stream* stream_of(Context* context, void* handle, int* error);
int submit(Call& call, Stream* stream, Op op);
int drain(std::unique_lock<std::mutex>& lock, Stream* stream);              // runs what is pending
int drain_until(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Mark>& mark);
int drain_context(std::unique_lock<std::mutex>& lock, Context* context);
int drain_all(std::unique_lock<std::mutex>& lock);
// Before a synchronous operation on the default stream: work on blocking streams is done first.
int drain_blocking(std::unique_lock<std::mutex>& lock, Context* context);

// Runs a kernel body; a bad memory access or undefined behaviour in it becomes an error.
int guarded(const std::string& what, const std::function<void()>& body);

void destroy_context(std::unique_lock<std::mutex>& lock, Context* context);

}  // namespace standin
