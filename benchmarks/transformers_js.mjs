// Run an exported model in transformers.js, and in the WebAssembly runtime that it uses in browsers.
//
//     npm --prefix tests/node ci --ignore-scripts
//     node benchmarks/transformers_js.mjs FOLDER PHOTO OUT [tests/node/node_modules]
//
// FOLDER is what `python -m clothseg export` wrote. OUT gets one byte per cell of the logits, (h / 4) x (w / 4), row by
// row: the class with the largest logit. (--ignore-scripts: a package's own script fetches files for NVIDIA GPUs.)
// tests/commands/test_export.py compares OUT with PyTorch's.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, photo, out, modules = "node_modules"] = process.argv.slice(2);
const require = createRequire(pathToFileURL(resolve(modules, "x.js")));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { AutoModel, AutoProcessor, RawImage, env } = await load("@huggingface/transformers");
const { InferenceSession, Tensor, env: web } = await load("onnxruntime-web");

function classes(logits) {
  const cells = logits.dims[2] * logits.dims[3];
  const ids = new Uint8Array(cells);
  for (let cell = 0; cell < cells; cell++) {
    for (let id = 1; id < logits.dims[1]; id++) {
      if (logits.data[id * cells + cell] > logits.data[ids[cell] * cells + cell]) ids[cell] = id;
    }
  }
  return ids;
}

env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(folder));
const name = basename(resolve(folder));
const processor = await AutoProcessor.from_pretrained(name);
const model = await AutoModel.from_pretrained(name, { dtype: "fp32" });
const { pixel_values } = await processor(await RawImage.read(photo));
const { logits } = await model({ pixel_values });
const ids = classes(logits);
writeFileSync(out, ids);

web.wasm.numThreads = 1;
const session = await InferenceSession.create(readFileSync(join(folder, "onnx", "model.onnx")), {
  executionProviders: ["wasm"],
});
const input = new Tensor("float32", pixel_values.data, pixel_values.dims);
const inBrowser = classes((await session.run({ pixel_values: input })).logits);
const equal = ids.filter((id, cell) => id === inBrowser[cell]).length / ids.length;
console.log(JSON.stringify({ pixels: pixel_values.dims, logits: logits.dims, equalInWebAssembly: equal }));
