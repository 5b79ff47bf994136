// Just enough of NVIDIA's video decoder library (libnvcuvid.so.1) for GStreamer's plugin nvcodec to register its memory
// elements (cudaupload, cudadownload, …), which it does only where there is a decoder or an encoder library. It decodes
// nothing: asked for what it can, it says nothing (the caller's structure is left as it is, all noughts).
#define EXPORT extern "C" __attribute__((visibility("default")))
const int NOT_SUPPORTED = 801;

EXPORT int cuvidGetDecoderCaps(void*) { return 0; }
#define NOT_THERE(name) \
  EXPORT int name() { return NOT_SUPPORTED; }
NOT_THERE(cuvidCreateDecoder)
NOT_THERE(cuvidReconfigureDecoder)
NOT_THERE(cuvidDestroyDecoder)
NOT_THERE(cuvidDecodePicture)
NOT_THERE(cuvidCreateVideoParser)
NOT_THERE(cuvidParseVideoData)
NOT_THERE(cuvidDestroyVideoParser)
NOT_THERE(cuvidMapVideoFrame64)
NOT_THERE(cuvidUnmapVideoFrame64)
NOT_THERE(cuvidCtxLockCreate)
NOT_THERE(cuvidCtxLockDestroy)
NOT_THERE(cuvidCtxLock)
NOT_THERE(cuvidCtxUnlock)
