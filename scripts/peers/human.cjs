// The job of `faceanalyze` in @vladmandic/human on TensorFlow.js' WebAssembly backend: faces, age, gender and emotion of
// every frame. Reads raw RGB frames from standard input, so that decoding costs it nothing; prints frames per second and
// the faces found as JSON. Usage: ffmpeg … -f rawvideo -pix_fmt rgb24 - | node human.cjs NODE_MODULES WIDTH HEIGHT FRAMES
'use strict';
const fs = require('fs');
const path = require('path');
const [modules, width, height, frames] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const load = (name) => require(require.resolve(name, { paths: [path.dirname(modules)] }));
const tf = load('@tensorflow/tfjs-core');
load('@tensorflow/tfjs-backend-wasm');
const folder = path.join(modules, '@vladmandic/human');
const { Human } = require(path.join(folder, 'dist/human.node-wasm.js'));

// TensorFlow.js without its native addon cannot read files by itself.
tf.io.registerLoadRouter((url) => typeof url === 'string' && url.startsWith('file://') ? {
  load: async () => {
    const file = url.slice('file://'.length);
    const model = JSON.parse(fs.readFileSync(file));
    const parts = model.weightsManifest.flatMap((group) => group.paths);
    const bytes = Buffer.concat(parts.map((part) => fs.readFileSync(path.join(path.dirname(file), part))));
    return {
      modelTopology: model.modelTopology,
      weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    };
  },
} : null);

const off = { enabled: false };
const config = {
  backend: 'wasm', modelBasePath: `file://${folder}/models/`,
  wasmPath: path.join(path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json', { paths: [path.dirname(modules)] })), 'dist/'),
  warmup: 'none', debug: false, cacheSensitivity: 0, filter: off, gesture: off, body: off, hand: off, object: off, segmentation: off,
  face: {
    enabled: true,
    detector: { maxDetected: 10, skipFrames: 0, skipTime: 0 },
    mesh: off, iris: off, attention: off, antispoof: off, liveness: off,
    emotion: { enabled: true, skipFrames: 0, skipTime: 0 },
    description: { enabled: true, skipFrames: 0, skipTime: 0 },
  },
};

async function main() {
  const human = new Human(config);
  await human.load();
  const size = width * height * 3;
  const picture = Buffer.alloc(size);
  let [held, done, faces, described, begun] = [0, 0, 0, 0, 0];
  for await (let chunk of process.stdin) {
    while (chunk.length > 0) {
      const taken = chunk.copy(picture, held);
      held += taken;
      chunk = chunk.subarray(taken);
      if (held < size) continue;
      held = 0;
      const tensor = tf.tensor(new Uint8Array(picture), [1, height, width, 3], 'float32');
      const result = await human.detect(tensor);
      tf.dispose(tensor);
      if (result.error) throw new Error(result.error);
      // The first frame warms up: kernels are made then.
      if (begun === 0) { begun = performance.now(); continue; }
      done += 1;
      faces += result.face.length;
      described += result.face.filter((face) => face.age && face.gender && face.emotion?.length).length;
      if (done === frames) {
        const fps = done * 1000 / (performance.now() - begun);
        console.log(JSON.stringify({ fps, frames: done, faces: faces / done, described: described / done, backend: tf.getBackend() }));
        process.exit(0);
      }
    }
  }
  throw new Error(`only ${done} frames came`);
}
main().catch((error) => { console.error(`human: ${error.stack || error}`); process.exit(1); });
