// The photo's computations, outside the page's main thread. The page asks {kind, call, ...}; the answer is {call, result}
// or {call, error}, and {progress: [bytes, of]} while the network is loaded.

import {cutout, labelMap, mask} from './files.js';
import {openNetwork} from './network.js';
import {findParts, fitted, resizeIds} from './parts.js';
import {canvasOf, onWhite, readPhoto} from './photo.js';
import {segment} from './pipeline.js';

const PREVIEW = 1600; // longest side of the photo and the map on the stage

let about = null;
let network = null; // a promise
let shown = null; // {photo, ids}

const ACTIONS = {
  async load({backend}) {
    about = await (await fetch('model.json')).json();
    network = openNetwork(about, backend, (...progress) => self.postMessage({progress}));
    const {kind, threads} = await network;
    return {kind, threads};
  },
  async segment({file, options}) {
    const begun = performance.now();
    const photo = await readPhoto(file);
    const {width, height} = photo;
    const times = {decode: performance.now() - begun, network: 0, passes: 0};
    const running = await network;
    const start = performance.now();
    const infer = async (picture) => {
      const since = performance.now();
      const logits = await running.run(picture);
      times.network += performance.now() - since;
      times.passes += 1;
      return logits;
    };
    const ids = await segment({pixels: onWhite(photo), width, height}, infer, about, options);
    if (!photo.opaque) ids.forEach((_, at) => photo.rgba[4 * at + 3] || (ids[at] = 0));
    times.whole = performance.now() - start;
    shown = {photo, ids};
    const [wide, high] = fitted(width, height, PREVIEW);
    return {
      width,
      height,
      shrunk: photo.shrunk,
      parts: findParts(ids, width, height, about.classes.length),
      map: {width: wide, height: high, ids: resizeIds(ids, width, height, wide, high)},
      preview: await preview(photo, wide, high),
      times,
    };
  },
  file: ({name, picked, options}) => {
    const {photo, ids} = shown;
    const make = {cutout, mask, labels: labelMap}[name];
    return make(photo, ids, new Set(picked), options);
  },
  labels: () => shown.ids, // for tests
};

function preview({rgba, width, height, opaque}, wide, high) {
  const canvas = new OffscreenCanvas(wide, high);
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(canvasOf(rgba, width, height), 0, 0, wide, high);
  return canvas.convertToBlob(opaque ? {type: 'image/jpeg', quality: 0.92} : {type: 'image/png'});
}

// One after the other: a file belongs to the photo that was requested before it.
let last = Promise.resolve();
self.addEventListener('message', ({data: {call, kind, ...rest}}) => {
  const answer = async () => {
    try {
      self.postMessage({call, result: await ACTIONS[kind](rest)});
    } catch (error) {
      self.postMessage({call, error: String(error?.message || error)});
    }
  };
  last = last.then(answer);
});
