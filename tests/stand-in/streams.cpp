// Streams and events. Work runs at once (schedule 0) or as late as the API allows (schedule 1): both are schedules that
// a GPU may choose, and code that forgets to wait for something shows itself in one of them.
#include "driver.h"

namespace standin {

Stream* stream_of(Context* context, void* handle, int* error) {
  // 0: the default stream; 1 and 2 are its legacy and per-thread names.
  if ((uintptr_t)handle <= 2) return &context->default_stream;
  Stream* stream = (Stream*)handle;
  if (!state().streams.count(stream)) {
    *error = INVALID_HANDLE;
    return nullptr;
  }
  if (stream->context != context) {
    problem("a stream of another context was used");
    *error = INVALID_HANDLE;
    return nullptr;
  }
  return stream;
}

static int run_front(std::unique_lock<std::mutex>& lock, Stream* stream) {
  Op op = std::move(stream->pending.front());
  stream->pending.pop_front();
  Context* context = stream->context;
  if (context->dead != SUCCESS) return context->dead;
  stream->busy = true;
  int result = op.prepare ? op.prepare() : SUCCESS;
  if (result == SUCCESS && op.work) {
    lock.unlock();
    result = op.work();
    lock.lock();
  }
  stream->busy = false;
  state().idle.notify_all();
  // What goes wrong on the device loses the context.
  if (result != SUCCESS) context->dead = result;
  return result;
}

int drain(std::unique_lock<std::mutex>& lock, Stream* stream) {
  int first = SUCCESS;
  for (;;) {
    while (stream->busy) state().idle.wait(lock);
    if (stream->pending.empty()) return first;
    int result = run_front(lock, stream);
    if (first == SUCCESS) first = result;
  }
}

int drain_until(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Mark>& mark) {
  int first = SUCCESS;
  while (!mark->done) {
    Stream* stream = mark->stream;
    while (stream->busy && !mark->done) state().idle.wait(lock);
    if (mark->done) break;
    if (stream->pending.empty()) break;
    int result = run_front(lock, stream);
    if (first == SUCCESS) first = result;
    if (stream->context->dead != SUCCESS) return stream->context->dead;
  }
  return first;
}

int drain_context(std::unique_lock<std::mutex>& lock, Context* context) {
  int first = drain(lock, &context->default_stream);
  std::vector<Stream*> streams(context->streams.begin(), context->streams.end());
  for (Stream* stream : streams) {
    if (!state().streams.count(stream)) continue;
    int result = drain(lock, stream);
    if (first == SUCCESS) first = result;
  }
  return first;
}

int drain_all(std::unique_lock<std::mutex>& lock) {
  int first = SUCCESS;
  std::vector<Context*> contexts(state().contexts.begin(), state().contexts.end());
  for (Context* context : contexts) {
    if (!state().contexts.count(context)) continue;
    int result = drain_context(lock, context);
    if (first == SUCCESS) first = result;
  }
  return first;
}

int drain_blocking(std::unique_lock<std::mutex>& lock, Context* context) {
  int first = drain(lock, &context->default_stream);
  std::vector<Stream*> streams(context->streams.begin(), context->streams.end());
  for (Stream* stream : streams) {
    if (!state().streams.count(stream) || (stream->flags & 1)) continue;
    int result = drain(lock, stream);
    if (first == SUCCESS) first = result;
  }
  return first;
}

int submit(Call& call, Stream* stream, Op op) {
  Context* context = stream->context;
  // The default stream and the blocking ones wait for each other.
  int before = SUCCESS;
  if (stream == &context->default_stream) before = drain_blocking(call.lock, context);
  else if (!(stream->flags & 1)) before = drain(call.lock, &context->default_stream);
  if (before != SUCCESS) return before;
  if (state().logging) state().log += "  " + op.what + "\n";
  stream->pending.push_back(std::move(op));
  // An asynchronous call does not report what its own work runs into: the next one on the context does.
  if (state().schedule == 0) drain(call.lock, stream);
  return SUCCESS;
}

}  // namespace standin

using namespace standin;

static int create_stream(Stream** out, unsigned flags, int priority) {
  if (!out || flags > 1) return INVALID_VALUE;
  Stream* stream = new Stream;
  stream->context = current();
  stream->flags = flags;
  stream->priority = priority < -5 ? -5 : priority > 0 ? 0 : priority;
  state().streams.insert(stream);
  current()->streams.insert(stream);
  *out = stream;
  return SUCCESS;
}

EXPORT int cuStreamCreate(Stream** out, unsigned flags) {
  Call call("cuStreamCreate", true);
  return call ? create_stream(out, flags, 0) : call.result;
}

EXPORT int cuStreamCreateWithPriority(Stream** out, unsigned flags, int priority) {
  Call call("cuStreamCreateWithPriority", true);
  return call ? create_stream(out, flags, priority) : call.result;
}

static int destroy_stream(const char* name, Stream* stream) {
  Call call(name, false);
  if (!call) return call.result;
  if (!state().streams.count(stream)) return INVALID_HANDLE;
  drain(call.lock, stream);  // its work is done all the same
  state().streams.erase(stream);
  stream->context->streams.erase(stream);
  // Kept, not deleted: marks of events still point to it.
  return SUCCESS;
}

EXPORT int cuStreamDestroy_v2(Stream* stream) { return destroy_stream("cuStreamDestroy_v2", stream); }
EXPORT int cuStreamDestroy(Stream* stream) { return destroy_stream("cuStreamDestroy", stream); }

EXPORT int cuStreamSynchronize(void* handle) {
  Call call("cuStreamSynchronize", true);
  if (!call) return call.result;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  int result = stream == &current()->default_stream ? drain_blocking(call.lock, current()) : drain(call.lock, stream);
  return result != SUCCESS ? result : current()->dead;
}

EXPORT int cuStreamQuery(void* handle) {
  Call call("cuStreamQuery", true);
  if (!call) return call.result;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  if (stream->busy) return NOT_READY;
  if (stream->pending.empty()) return SUCCESS;
  run_front(call.lock, stream);  // asking again and again comes to an end
  return current()->dead != SUCCESS ? current()->dead : NOT_READY;
}

EXPORT int cuStreamGetPriority(void* handle, int* out) {
  Call call("cuStreamGetPriority", true);
  if (!call) return call.result;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  if (!out) return INVALID_VALUE;
  *out = stream->priority;
  return SUCCESS;
}

EXPORT int cuStreamGetFlags(void* handle, unsigned* out) {
  Call call("cuStreamGetFlags", true);
  if (!call) return call.result;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  if (!out) return INVALID_VALUE;
  *out = stream->flags;
  return SUCCESS;
}

EXPORT int cuStreamGetCtx(Stream* stream, Context** out) {
  Call call("cuStreamGetCtx", false);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if ((uintptr_t)stream <= 2) {
    *out = current();
    return *out ? SUCCESS : INVALID_CONTEXT;
  }
  if (!state().streams.count(stream)) return INVALID_HANDLE;
  *out = stream->context;
  return SUCCESS;
}

EXPORT int cuStreamIsCapturing(void*, int* out) {
  Call call("cuStreamIsCapturing", true);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  *out = 0;
  return SUCCESS;
}

EXPORT int cuStreamWaitEvent(void* handle, Event* event, unsigned) {
  Call call("cuStreamWaitEvent", true);
  if (!call) return call.result;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  if (!state().events.count(event)) return INVALID_HANDLE;
  std::shared_ptr<Mark> mark = event->mark;
  if (!mark || mark->done) return SUCCESS;  // never recorded: nothing to wait for
  return submit(call, stream, {"wait", nullptr, [mark] {
    std::unique_lock<std::mutex> held(state().lock);
    return drain_until(held, mark);
  }});
}

EXPORT int cuLaunchHostFunc(void* handle, void (*function)(void*), void* data) {
  Call call("cuLaunchHostFunc", true);
  if (!call) return call.result;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  if (!function) return INVALID_VALUE;
  return submit(call, stream, {"host function", nullptr, [function, data] { function(data); return (int)SUCCESS; }});
}

EXPORT int cuCtxSynchronize() {
  Call call("cuCtxSynchronize", true);
  if (!call) return call.result;
  int result = drain_context(call.lock, current());
  return result != SUCCESS ? result : current()->dead;
}

EXPORT int cuEventCreate(Event** out, unsigned flags) {
  Call call("cuEventCreate", true);
  if (!call) return call.result;
  if (!out || flags > 7) return INVALID_VALUE;
  Event* event = new Event{current(), flags, nullptr};
  state().events.insert(event);
  current()->events.insert(event);
  *out = event;
  return SUCCESS;
}

EXPORT int cuEventDestroy_v2(Event* event) {
  Call call("cuEventDestroy_v2", false);
  if (!call) return call.result;
  if (!state().events.erase(event)) return INVALID_HANDLE;
  event->context->events.erase(event);
  delete event;
  return SUCCESS;
}

EXPORT int cuEventRecord(Event* event, void* handle) {
  Call call("cuEventRecord", true);
  if (!call) return call.result;
  if (!state().events.count(event)) return INVALID_HANDLE;
  int error = SUCCESS;
  Stream* stream = stream_of(current(), handle, &error);
  if (!stream) return error;
  if (event->context != stream->context) {
    problem("an event was recorded on a stream of another context");
    return INVALID_HANDLE;
  }
  auto mark = std::make_shared<Mark>();
  mark->stream = stream;
  mark->timing = !(event->flags & 2);
  event->mark = mark;
  return submit(call, stream, {"record", [mark] {
    mark->done = true;
    mark->at = std::chrono::steady_clock::now();
    return (int)SUCCESS;
  }, nullptr});
}

EXPORT int cuEventQuery(Event* event) {
  Call call("cuEventQuery", true);
  if (!call) return call.result;
  if (!state().events.count(event)) return INVALID_HANDLE;
  std::shared_ptr<Mark> mark = event->mark;
  if (!mark || mark->done) return SUCCESS;
  if (!mark->stream->busy && !mark->stream->pending.empty()) run_front(call.lock, mark->stream);
  return current()->dead != SUCCESS ? current()->dead : NOT_READY;
}

EXPORT int cuEventSynchronize(Event* event) {
  Call call("cuEventSynchronize", true);
  if (!call) return call.result;
  if (!state().events.count(event)) return INVALID_HANDLE;
  std::shared_ptr<Mark> mark = event->mark;
  if (!mark) return SUCCESS;
  int result = drain_until(call.lock, mark);
  return result != SUCCESS ? result : current()->dead;
}

EXPORT int cuEventElapsedTime(float* out, Event* from, Event* to) {
  Call call("cuEventElapsedTime", true);
  if (!call) return call.result;
  if (!out) return INVALID_VALUE;
  if (!state().events.count(from) || !state().events.count(to)) return INVALID_HANDLE;
  if (!from->mark || !to->mark || !from->mark->timing || !to->mark->timing) return INVALID_HANDLE;
  if (!from->mark->done || !to->mark->done) return NOT_READY;
  *out = std::chrono::duration<float, std::milli>(to->mark->at - from->mark->at).count();
  return SUCCESS;
}

// --- For the stand-in of ONNX Runtime; neither counted nor failing ---

// Runs what is pending on a stream; the context's error, if it is lost.
EXPORT int standin_drain(Stream* stream) {
  std::unique_lock<std::mutex> lock(state().lock);
  if (!state().streams.count(stream)) return INVALID_HANDLE;
  int result = drain(lock, stream);
  return result != SUCCESS ? result : stream->context->dead;
}

// Puts work behind what is pending on a stream.
EXPORT int standin_enqueue(Stream* stream, void (*work)(void*), void* data) {
  std::unique_lock<std::mutex> lock(state().lock);
  if (!state().streams.count(stream)) return INVALID_HANDLE;
  if (stream->context->dead != SUCCESS) return stream->context->dead;
  stream->pending.push_back({"network", nullptr, [work, data] { work(data); return (int)SUCCESS; }});
  return state().schedule == 0 ? drain(lock, stream) : SUCCESS;
}

EXPORT int standin_is_device(Address address) {
  std::lock_guard<std::mutex> held(state().lock);
  return find(address) != nullptr;
}
