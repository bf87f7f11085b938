// The worker, as functions that return promises.

const waiting = new Map();
let calls = 0;
let worker = null;

/** Called with {loaded, total} bytes while the network is downloaded. */
export const progress = {tell: () => {}};

function hear({data}) {
  if (data.progress) return progress.tell(...data.progress);
  const {done, failed} = waiting.get(data.call);
  waiting.delete(data.call);
  if ('error' in data) failed(new Error(data.error));
  else done(data.result);
}

function giveUp(event) {
  for (const {failed} of waiting.values()) failed(new Error(event.message || 'The worker cannot start.'));
  waiting.clear();
}

function ask(kind, rest = {}) {
  return new Promise((done, failed) => {
    waiting.set((calls += 1), {done, failed});
    worker.postMessage({call: calls, kind, ...rest});
  });
}

/** Start the worker and load the network; resolves to {kind, threads}. */
export function load(backend) {
  worker = new Worker('worker.js', {type: 'module'});
  worker.addEventListener('message', hear);
  worker.addEventListener('error', giveUp);
  return ask('load', {backend});
}

/** Segment a photo, after the network is loaded. */
export const segment = (file, options = {}) => ask('segment', {file, options});

/** A file of the last photo as a Blob: 'cutout', 'mask' or 'labels', of class ids. */
export const makeFile = (name, picked, options = {}) => ask('file', {name, picked, options});

/** The label map of the last photo. */
export const labels = () => ask('labels');
