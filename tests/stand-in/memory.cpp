// Device memory is a reserved range of this process's address space: every allocation has pages of its own, no page on
// either side of it can be touched, freed memory cannot be touched any more, and what is left of its first and last page
// is a guard zone with a pattern. Fresh memory is full of 0xFF bytes (as floats: NaN).
#include "driver.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace standin {
namespace {

const size_t PAGE = 4096;
const unsigned char GUARD = 0xa5;

struct Arena {
  Address base = 0, end = 0, next = 0, used = 0;
  Arena() {
    // Only addresses are taken, no memory; smaller where the process's address space is limited.
    for (int bits = 40; bits >= 33 && !base; bits--) {
      void* got = mmap(nullptr, size_t(1) << bits, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (got != MAP_FAILED) base = (Address)got, end = base + (size_t(1) << bits);
    }
    // Not at a multiple of 2^32: half an address in the padding of a struct must not look like one.
    next = used = (base + 0xffffffff) / 0x100000000 * 0x100000000 + 0x10000000;
  }
};

Arena& arena() {
  static Arena arena;
  return arena;
}

size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// Where `length` bytes of pages fit: ever upwards, so that a freed address comes back as late as possible.
Address place(size_t length) {
  Arena& a = arena();
  auto& live = state().allocations;
  for (int round = 0; round < 2; round++) {
    Address at = a.next;
    while (at + length <= a.end) {
      auto after = live.upper_bound(at + length);
      bool clash = false;
      if (after != live.begin()) {
        auto& before = std::prev(after)->second;
        if (before.pages_end + PAGE > at) at = before.pages_end + PAGE, clash = true;
      }
      if (!clash) {
        a.next = at + length;
        if (a.next > a.used) a.used = a.next;
        return at;
      }
    }
    a.next = a.base;
  }
  return 0;
}

std::string hex(Address address) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", address);
  return text;
}

}  // namespace

bool in_arena(Address address) { return address >= arena().base && address < arena().used; }

size_t used(int device) {
  size_t bytes = 0;
  for (auto& [start, allocation] : state().allocations)
    if (allocation.context->device == device) bytes += allocation.size;
  return bytes;
}

int allocate(Context* context, size_t size, size_t alignment, Address* out) {
  if (!out || size == 0) return INVALID_VALUE;
  if (size > state().memory || used(context->device) + size > state().memory) return OUT_OF_MEMORY;
  size_t pages = up(up(size, alignment), PAGE);
  Address at = place(pages + 2 * PAGE);
  if (!at) return OUT_OF_MEMORY;
  at += PAGE;
  if (mprotect((void*)at, pages, PROT_READ | PROT_WRITE) != 0) return OUT_OF_MEMORY;
  Allocation allocation{context, at + pages - up(size, alignment), size, at, at + pages};
  std::memset((void*)at, GUARD, allocation.start - at);
  std::memset((void*)allocation.start, 0xff, size);
  std::memset((void*)(allocation.start + size), GUARD, allocation.pages_end - allocation.start - size);
  state().allocations[allocation.start] = allocation;
  count("allocated bytes", size);
  *out = allocation.start;
  return SUCCESS;
}

int release(Address start) {
  auto found = state().allocations.find(start);
  if (found == state().allocations.end()) {
    problem("freed " + hex(start) + ", which is not the beginning of an allocation");
    return INVALID_VALUE;
  }
  check_guards(found->second, "it was freed");
  const Allocation& a = found->second;
  // Fresh, untouchable pages in their place: what still uses them stops at once.
  mmap((void*)a.pages, a.pages_end - a.pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  state().allocations.erase(found);
  return SUCCESS;
}

const Allocation* find(Address address) {
  auto& live = state().allocations;
  auto after = live.upper_bound(address);
  if (after == live.begin()) return nullptr;
  const Allocation& a = std::prev(after)->second;
  return address < a.start + a.size ? &a : nullptr;
}

bool pinned(Address address, size_t size) {
  auto& all = state().pinned;
  auto after = all.upper_bound(address);
  if (after == all.begin()) return false;
  auto& [start, length] = *std::prev(after);
  return address + size <= start + length;
}

int check_device(Context* context, Address address, size_t size, const char* what) {
  const Allocation* found = find(address);
  if (!found) {
    problem(std::string(what) + ": " + hex(address) + " is not device memory" +
            (in_arena(address) ? " (any more, or it lies between two allocations)" : ""));
    return ILLEGAL_ADDRESS;
  }
  if (size > found->start + found->size - address) {
    problem(std::string(what) + ": " + std::to_string(size) + " bytes at " + hex(address) + " reach beyond the end of an allocation of " +
            std::to_string(found->size) + " bytes by " + std::to_string(address + size - found->start - found->size));
    return ILLEGAL_ADDRESS;
  }
  if (found->context != context && !context->peers.count(found->context)) {
    problem(std::string(what) + ": " + hex(address) + " belongs to another context");
    return ILLEGAL_ADDRESS;
  }
  return SUCCESS;
}

void check_guards(const Allocation& a, const std::string& after) {
  auto intact = [](Address from, Address to) {
    for (Address at = from; at < to; at++)
      if (*(const unsigned char*)at != GUARD) return false;
    return true;
  };
  if (!intact(a.pages, a.start)) {
    problem("something wrote before the beginning of an allocation of " + std::to_string(a.size) + " bytes; seen when " + after);
    std::memset((void*)a.pages, GUARD, a.start - a.pages);
  }
  if (!intact(a.start + a.size, a.pages_end)) {
    problem("something wrote behind the end of an allocation of " + std::to_string(a.size) + " bytes; seen when " + after);
    std::memset((void*)(a.start + a.size), GUARD, a.pages_end - a.start - a.size);
  }
}

void check_all_guards(const std::string& after) {
  for (auto& [start, allocation] : state().allocations) check_guards(allocation, after);
}

}  // namespace standin

using namespace standin;

EXPORT int cuMemAlloc_v2(Address* out, size_t size) {
  Call call("cuMemAlloc_v2", true);
  return call ? allocate(current(), size, 256, out) : call.result;
}

EXPORT int cuMemAllocPitch_v2(Address* out, size_t* pitch, size_t width, size_t height, unsigned element) {
  Call call("cuMemAllocPitch_v2", true);
  if (!call) return call.result;
  if (!pitch || width == 0 || height == 0 || (element != 4 && element != 8 && element != 16)) return INVALID_VALUE;
  size_t row = (width + 511) / 512 * 512;
  if (height > (size_t(1) << 46) / row) return OUT_OF_MEMORY;
  int result = allocate(current(), row * height, 512, out);
  if (result == SUCCESS) *pitch = row;
  return result;
}

EXPORT int cuMemFree_v2(Address address) {
  Call call("cuMemFree_v2", true);
  if (!call) return call.result;
  if (address == 0) return SUCCESS;
  int pending = drain_all(call.lock);  // freeing waits for the device
  int result = release(address);
  return result != SUCCESS ? result : pending;
}

EXPORT int cuMemAllocAsync(Address* out, size_t size, void* handle) {
  Call call("cuMemAllocAsync", true);
  if (!call) return call.result;
  int error = SUCCESS;
  if (!stream_of(current(), handle, &error)) return error;
  return allocate(current(), size, 256, out);
}

EXPORT int cuMemFreeAsync(Address address, void* handle) {
  Call call("cuMemFreeAsync", true);
  if (!call) return call.result;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  if (!find(address)) return INVALID_VALUE;
  return submit(call, stream, {"cuMemFreeAsync", [address] { return release(address); }, nullptr});
}

static int allocate_host(void** out, size_t size) {
  if (!out || size == 0) return INVALID_VALUE;
  void* got = nullptr;
  if (posix_memalign(&got, 4096, size) != 0) return OUT_OF_MEMORY;
  std::memset(got, 0xff, size);
  state().pinned[(Address)got] = size;
  *out = got;
  return SUCCESS;
}

EXPORT int cuMemAllocHost_v2(void** out, size_t size) {
  Call call("cuMemAllocHost_v2", true);
  return call ? allocate_host(out, size) : call.result;
}

EXPORT int cuMemHostAlloc(void** out, size_t size, unsigned) {
  Call call("cuMemHostAlloc", true);
  return call ? allocate_host(out, size) : call.result;
}

EXPORT int cuMemFreeHost(void* address) {
  Call call("cuMemFreeHost", true);
  if (!call) return call.result;
  int pending = drain_all(call.lock);
  if (!state().pinned.erase((Address)address)) return INVALID_VALUE;
  std::free(address);
  return pending;
}

EXPORT int cuMemHostGetDevicePointer_v2(Address*, void*, unsigned) {
  Call call("cuMemHostGetDevicePointer_v2", true);
  return call ? NOT_SUPPORTED : call.result;
}

EXPORT int cuMemHostRegister_v2(void* address, size_t size, unsigned) {
  Call call("cuMemHostRegister_v2", true);
  return !call ? call.result : address && size ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuMemHostUnregister(void*) {
  Call call("cuMemHostUnregister", true);
  return call.result;
}

EXPORT int cuMemGetInfo_v2(size_t* free, size_t* total) {
  Call call("cuMemGetInfo_v2", true);
  if (!call) return call.result;
  if (!free || !total) return INVALID_VALUE;
  *total = state().memory;
  *free = state().memory - std::min(state().memory, used(current()->device));
  return SUCCESS;
}

EXPORT int cuMemGetAddressRange_v2(Address* base, size_t* size, Address address) {
  Call call("cuMemGetAddressRange_v2", true);
  if (!call) return call.result;
  const Allocation* found = find(address);
  if (!found) return NOT_FOUND;
  if (base) *base = found->start;
  if (size) *size = found->size;
  return SUCCESS;
}

static int pointer_attribute(void* out, int attribute, Address address) {
  if (!out) return INVALID_VALUE;
  const Allocation* found = find(address);
  bool host = !found && pinned(address, 1);
  if (!found && !host) return INVALID_VALUE;
  switch (attribute) {
    case 1:
      if (host) return INVALID_VALUE;
      *(Context**)out = found->context;
      return SUCCESS;
    case 2: *(unsigned*)out = host ? 1 : 2; return SUCCESS;
    case 3:
      if (host) return INVALID_VALUE;
      *(Address*)out = address;
      return SUCCESS;
    case 4:
      if (!host) return INVALID_VALUE;
      *(Address*)out = address;
      return SUCCESS;
    case 8: *(unsigned*)out = 0; return SUCCESS;
    case 9: *(int*)out = host ? 0 : found->context->device; return SUCCESS;
    case 11:
      if (host) return INVALID_VALUE;
      *(Address*)out = found->start;
      return SUCCESS;
    case 12:
      if (host) return INVALID_VALUE;
      *(size_t*)out = found->size;
      return SUCCESS;
    case 13: *(unsigned*)out = 1; return SUCCESS;
    default: return NOT_SUPPORTED;
  }
}

EXPORT int cuPointerGetAttribute(void* out, int attribute, Address address) {
  Call call("cuPointerGetAttribute", false);
  return call ? pointer_attribute(out, attribute, address) : call.result;
}

EXPORT int cuPointerGetAttributes(unsigned n, const int* attributes, void** out, Address address) {
  Call call("cuPointerGetAttributes", false);
  if (!call) return call.result;
  if (!attributes || !out) return INVALID_VALUE;
  // As documented: of an address that CUDA does not know, everything is nought and the call succeeds.
  for (unsigned i = 0; i < n; i++)
    if (pointer_attribute(out[i], attributes[i], address) != SUCCESS && out[i]) std::memset(out[i], 0, 4);
  return SUCCESS;
}
