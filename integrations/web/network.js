// The network in ONNX Runtime Web: on the GPU where the browser has WebGPU, else in WebAssembly.

import {resize} from './resize.js';

const RUNTIMES = {
  webgpu: ['ort.webgpu.bundle.min.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'],
  wasm: ['ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm'],
};
const MOST_THREADS = 8; // more threads are slower
const PATIENCE = 3000; // milliseconds to wait for a browser without a GPU to report that
const AGREEMENT = 0.98; // least share of the test picture's cells on which a GPU must agree with the library

/**
 * Load the network.
 * @param about what model.json says of it.
 * @param {string | null} wanted 'webgpu' or 'wasm'; null chooses.
 * @param {(loaded: number, total: number) => void} onProgress told the bytes that have come.
 */
export async function openNetwork(about, wanted, onProgress) {
  const kinds = wanted ? [wanted] : (await hasGpu()) ? ['webgpu', 'wasm'] : ['wasm'];
  let trouble = null;
  for (const kind of kinds) {
    try {
      const network = await open(about, kind, onProgress);
      if (kind === 'wasm' || (await agrees(network, about))) return network;
      trouble = new Error('The GPU gives other results than it should.');
    } catch (error) {
      trouble = error;
    }
  }
  throw trouble;
}

async function hasGpu() {
  if (!navigator.gpu) return false;
  const asked = navigator.gpu.requestAdapter().catch(() => null);
  const adapter = await Promise.race([asked, new Promise((done) => setTimeout(done, PATIENCE))]);
  // A fallback is no GPU: it computes on the CPU, more slowly than WebAssembly.
  return Boolean(adapter) && !adapter.isFallbackAdapter && !adapter.info?.isFallbackAdapter;
}

async function open(about, kind, onProgress) {
  const [script, binary] = RUNTIMES[kind];
  const files = [`runtime/${binary}`, about.file];
  const come = files.map(() => 0);
  const total = files.reduce((sum, name) => sum + about.bytes[name], 0);
  const [wasm, model] = await Promise.all(
    files.map((name, index) =>
      fetchBytes(name, (bytes) => {
        come[index] = bytes;
        onProgress(come[0] + come[1], total);
      }),
    ),
  );
  const ort = await import(`./runtime/${script}`);
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = 'error';
  const [height, width] = about.input;
  const session = await ort.InferenceSession.create(new Uint8Array(model), {
    executionProviders: [kind],
    freeDimensionOverrides: {batch: 1, height, width},
  });
  return {
    kind,
    threads: kind === 'wasm' ? ort.env.wasm.numThreads : 0,
    /** Logits, as labels.js has them, of a picture {pixels: RGB, width, height}. */
    async run(picture) {
      const input = new ort.Tensor('float32', networkInput(picture, about), [1, 3, height, width]);
      const {logits} = await session.run({pixel_values: input});
      return inOrder(await logits.getData(), logits.dims, about.channels);
    },
  };
}

async function fetchBytes(url, onBytes) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  const chunks = [];
  let bytes = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const {done, value} = await reader.read();
    if (done) break;
    chunks.push(value);
    onBytes((bytes += value.length));
  }
  return new Blob(chunks).arrayBuffer();
}

/** The network's input, three planes, as clothseg/models/preprocessing.py makes it. */
export function networkInput({pixels, width, height}, {input, resample, values, reversed}) {
  const [rows, columns] = input;
  const small = resize(pixels, [width, height], [columns, rows], resample);
  const cells = rows * columns;
  const made = new Float32Array(3 * cells);
  for (let channel = 0; channel < 3; channel += 1) {
    const from = reversed ? 2 - channel : channel;
    const table = values[channel];
    for (let cell = 0; cell < cells; cell += 1) made[channel * cells + cell] = table[small[3 * cell + from]];
  }
  return made;
}

// The logits with the channels in the order of the classes. One that the model does not have never wins.
const ABSENT = -1e4;
function inOrder(data, [, , height, width], channels) {
  const cells = height * width;
  const made = new Float32Array(channels.length * cells);
  channels.forEach((channel, id) => {
    if (channel === null) made.fill(ABSENT, id * cells, (id + 1) * cells);
    else made.set(data.subarray(channel * cells, (channel + 1) * cells), id * cells);
  });
  return {data: made, classes: channels.length, height, width};
}

// Whether the network recognises the picture of model.json as the library did: drivers of GPUs have faults.
async function agrees(network, {test}) {
  const {width, height} = test;
  const pixels = new Uint8ClampedArray(3 * width * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let band = 0; band < 3; band += 1) pixels[at++] = ((x >> 4) * 37 + (y >> 4) * 91 + band * 53) & 255;
    }
  }
  const {bestClasses} = await import('./labels.js');
  const found = bestClasses(await network.run({pixels, width, height}));
  const expected = Uint8Array.from(atob(test.labels), (letter) => letter.charCodeAt(0));
  return found.filter((id, cell) => id === expected[cell]).length >= AGREEMENT * expected.length;
}
