// Copies and fills. Both ends are checked: device memory must be of the current context (or of the one that a peer copy
// names), host memory must not be device memory.
#include "driver.h"

#include <cstring>

using namespace standin;

namespace {

enum Kind { HOST = 1, DEVICE = 2, ARRAY = 3, UNIFIED = 4 };

struct Side {
  Kind kind;
  Address at;       // first byte
  size_t pitch;     // bytes from row to row
  Context* context; // whose memory it must be, for device memory
};

size_t extent(const Side& side, size_t width, size_t height) { return height ? (height - 1) * side.pitch + width : 0; }

int check(const Side& side, size_t width, size_t height, const char* what) {
  if (width == 0 || height == 0) return SUCCESS;
  if (side.kind == DEVICE) return check_device(side.context, side.at, extent(side, width, height), what);
  if (!side.at) return INVALID_VALUE;
  if (in_arena(side.at)) {
    problem(std::string(what) + ": device memory was passed where host memory belongs");
    return INVALID_VALUE;
  }
  return SUCCESS;
}

void move(const Side& to, const Side& from, size_t width, size_t height) {
  for (size_t y = 0; y < height; y++)
    std::memmove((void*)(to.at + y * to.pitch), (const void*)(from.at + y * from.pitch), width);
}

int copy(const char* name, Side to, Side from, size_t width, size_t height, void* handle, bool async) {
  Call call(name, true);
  if (!call) return call.result;
  if (!to.context) to.context = current();
  if (!from.context) from.context = current();
  if (to.kind == UNIFIED) to.kind = in_arena(to.at) ? DEVICE : HOST;
  if (from.kind == UNIFIED) from.kind = in_arena(from.at) ? DEVICE : HOST;
  if (to.kind == ARRAY || from.kind == ARRAY) return NOT_SUPPORTED;
  if (height > 1 && (to.pitch < width || from.pitch < width)) return INVALID_VALUE;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  for (const Side* side : {&to, &from}) {
    error = check(*side, width, height, name);
    if (error == ILLEGAL_ADDRESS) current()->dead = error;
    if (error != SUCCESS) return error;
  }
  const size_t bytes = width * height;
  const char* direction = to.kind == DEVICE ? (from.kind == DEVICE ? (to.context == from.context ? "bytes d2d" : "bytes peer") : "bytes h2d")
                                            : (from.kind == DEVICE ? "bytes d2h" : "bytes h2h");
  count(direction, bytes);
  count(std::string("copies ") + (direction + 6));
  if (state().logging) state().log += "  " + std::string(direction) + " " + std::to_string(bytes) + "\n";

  // The device checks again when it comes to the copy: the memory may have been freed.
  auto still = [to, from, width, height, name] {
    for (const Side* side : {&to, &from})
      if (side->kind == DEVICE)
        if (int error = check(*side, width, height, name)) return error;
    return (int)SUCCESS;
  };
  const bool from_pageable = from.kind == HOST && !pinned(from.at, extent(from, width, height));
  const bool to_pageable = to.kind == HOST && !pinned(to.at, extent(to, width, height));
  Op op{name, still, nullptr};
  if (async && from_pageable && to.kind == DEVICE && bytes) {
    // Pageable memory is staged before the call returns.
    auto staged = std::make_shared<std::vector<unsigned char>>(bytes);
    Side packed{HOST, (Address)staged->data(), width, nullptr};
    move(packed, from, width, height);
    op.work = [to, packed, staged, width, height] { move(to, packed, width, height); return (int)SUCCESS; };
  } else {
    op.work = [to, from, width, height] { move(to, from, width, height); return (int)SUCCESS; };
  }
  error = submit(call, stream, std::move(op));
  if (error != SUCCESS) return error;
  // Blocking calls, and those that involve pageable memory to write to, are done when they return. Copies within the
  // device are never waited for.
  const bool host = to.kind == HOST || from.kind == HOST;
  if ((!async && host) || to_pageable) {
    error = drain(call.lock, stream);
    if (error != SUCCESS) return error;
    return current()->dead;
  }
  return SUCCESS;
}

Side host(const void* at) { return {HOST, (Address)at, 0, nullptr}; }
Side device(Address at, Context* context = nullptr) { return {DEVICE, at, 0, context}; }

// CUDA_MEMCPY2D.
struct Copy2D {
  size_t from_x, from_y;
  int from_kind;
  const void* from_host;
  Address from_device;
  void* from_array;
  size_t from_pitch;
  size_t to_x, to_y;
  int to_kind;
  void* to_host;
  Address to_device;
  void* to_array;
  size_t to_pitch;
  size_t width, height;
};

int copy_2d(const char* name, const Copy2D* c, void* stream, bool async) {
  if (!c || c->from_kind < 1 || c->from_kind > 4 || c->to_kind < 1 || c->to_kind > 4) return INVALID_VALUE;
  Address from = c->from_kind == HOST ? (Address)c->from_host : c->from_device;
  Address to = c->to_kind == HOST ? (Address)c->to_host : c->to_device;
  size_t from_pitch = c->from_pitch ? c->from_pitch : c->width;
  size_t to_pitch = c->to_pitch ? c->to_pitch : c->width;
  return copy(name, {(Kind)c->to_kind, to + c->to_y * to_pitch + c->to_x, to_pitch, nullptr},
              {(Kind)c->from_kind, from + c->from_y * from_pitch + c->from_x, from_pitch, nullptr}, c->width, c->height, stream,
              async);
}

int fill(const char* name, Address to, size_t pitch, unsigned value, size_t element, size_t width, size_t height, void* handle,
         bool) {
  Call call(name, true);
  if (!call) return call.result;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  if (to % element) return INVALID_VALUE;
  Side side{DEVICE, to, pitch, current()};
  if (height > 1 && pitch < width * element) return INVALID_VALUE;
  error = check(side, width * element, height, name);
  if (error == ILLEGAL_ADDRESS) current()->dead = error;
  if (error != SUCCESS) return error;
  count("bytes set", width * element * height);
  return submit(call, stream, {name, [side, element, width, height, name] { return check(side, width * element, height, name); },
    [side, value, element, width, height] {
      for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
          std::memcpy((void*)(side.at + y * side.pitch + x * element), &value, element);  // little endian
      return (int)SUCCESS;
    }});
}

}  // namespace

EXPORT int cuMemcpyHtoD_v2(Address to, const void* from, size_t n) {
  return copy("cuMemcpyHtoD_v2", device(to), host(from), n, 1, nullptr, false);
}
EXPORT int cuMemcpyDtoH_v2(void* to, Address from, size_t n) {
  return copy("cuMemcpyDtoH_v2", host(to), device(from), n, 1, nullptr, false);
}
EXPORT int cuMemcpyDtoD_v2(Address to, Address from, size_t n) {
  return copy("cuMemcpyDtoD_v2", device(to), device(from), n, 1, nullptr, false);
}
EXPORT int cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t n, void* stream) {
  return copy("cuMemcpyHtoDAsync_v2", device(to), host(from), n, 1, stream, true);
}
EXPORT int cuMemcpyDtoHAsync_v2(void* to, Address from, size_t n, void* stream) {
  return copy("cuMemcpyDtoHAsync_v2", host(to), device(from), n, 1, stream, true);
}
EXPORT int cuMemcpyDtoDAsync_v2(Address to, Address from, size_t n, void* stream) {
  return copy("cuMemcpyDtoDAsync_v2", device(to), device(from), n, 1, stream, true);
}
EXPORT int cuMemcpy(Address to, Address from, size_t n) {
  return copy("cuMemcpy", {UNIFIED, to, 0, nullptr}, {UNIFIED, from, 0, nullptr}, n, 1, nullptr, false);
}
EXPORT int cuMemcpyAsync(Address to, Address from, size_t n, void* stream) {
  return copy("cuMemcpyAsync", {UNIFIED, to, 0, nullptr}, {UNIFIED, from, 0, nullptr}, n, 1, stream, true);
}
EXPORT int cuMemcpyPeer(Address to, Context* to_context, Address from, Context* from_context, size_t n) {
  return copy("cuMemcpyPeer", device(to, to_context), device(from, from_context), n, 1, nullptr, false);
}
EXPORT int cuMemcpyPeerAsync(Address to, Context* to_context, Address from, Context* from_context, size_t n, void* stream) {
  return copy("cuMemcpyPeerAsync", device(to, to_context), device(from, from_context), n, 1, stream, true);
}
EXPORT int cuMemcpy2D_v2(const void* c) { return copy_2d("cuMemcpy2D_v2", (const Copy2D*)c, nullptr, false); }
EXPORT int cuMemcpy2DUnaligned_v2(const void* c) { return copy_2d("cuMemcpy2DUnaligned_v2", (const Copy2D*)c, nullptr, false); }
EXPORT int cuMemcpy2DAsync_v2(const void* c, void* stream) { return copy_2d("cuMemcpy2DAsync_v2", (const Copy2D*)c, stream, true); }

EXPORT int cuMemsetD8_v2(Address to, unsigned char v, size_t n) { return fill("cuMemsetD8_v2", to, 0, v, 1, n, 1, nullptr, false); }
EXPORT int cuMemsetD16_v2(Address to, unsigned short v, size_t n) { return fill("cuMemsetD16_v2", to, 0, v, 2, n, 1, nullptr, false); }
EXPORT int cuMemsetD32_v2(Address to, unsigned v, size_t n) { return fill("cuMemsetD32_v2", to, 0, v, 4, n, 1, nullptr, false); }
EXPORT int cuMemsetD8Async(Address to, unsigned char v, size_t n, void* s) { return fill("cuMemsetD8Async", to, 0, v, 1, n, 1, s, true); }
EXPORT int cuMemsetD16Async(Address to, unsigned short v, size_t n, void* s) { return fill("cuMemsetD16Async", to, 0, v, 2, n, 1, s, true); }
EXPORT int cuMemsetD32Async(Address to, unsigned v, size_t n, void* s) { return fill("cuMemsetD32Async", to, 0, v, 4, n, 1, s, true); }
EXPORT int cuMemsetD2D8_v2(Address to, size_t pitch, unsigned char v, size_t w, size_t h) { return fill("cuMemsetD2D8_v2", to, pitch, v, 1, w, h, nullptr, false); }
EXPORT int cuMemsetD2D16_v2(Address to, size_t pitch, unsigned short v, size_t w, size_t h) { return fill("cuMemsetD2D16_v2", to, pitch, v, 2, w, h, nullptr, false); }
EXPORT int cuMemsetD2D32_v2(Address to, size_t pitch, unsigned v, size_t w, size_t h) { return fill("cuMemsetD2D32_v2", to, pitch, v, 4, w, h, nullptr, false); }
EXPORT int cuMemsetD2D8Async(Address to, size_t pitch, unsigned char v, size_t w, size_t h, void* s) { return fill("cuMemsetD2D8Async", to, pitch, v, 1, w, h, s, true); }
EXPORT int cuMemsetD2D16Async(Address to, size_t pitch, unsigned short v, size_t w, size_t h, void* s) { return fill("cuMemsetD2D16Async", to, pitch, v, 2, w, h, s, true); }
EXPORT int cuMemsetD2D32Async(Address to, size_t pitch, unsigned v, size_t w, size_t h, void* s) { return fill("cuMemsetD2D32Async", to, pitch, v, 4, w, h, s, true); }
