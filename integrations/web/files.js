// The files that are downloaded: cut-outs, masks and label maps as PNG, at the photo's own size.

import {canvasOf} from './photo.js';

/**
 * The cut-out of some classes.
 * @param photo as readPhoto gives it.
 * @param {Uint8Array} ids the label map.
 * @param {Set<number>} picked class ids.
 * @param {{background: string | null, crop: boolean}} options a CSS colour, or null for a transparent ground; whether
 *     to crop to what is visible.
 */
export function cutout(photo, ids, picked, {background = null, crop = false} = {}) {
  const {width, height} = photo;
  const rgba = new Uint8ClampedArray(photo.rgba.length);
  const [from, to] = [new Uint32Array(photo.rgba.buffer), new Uint32Array(rgba.buffer)];
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      if (!picked.has(ids[at]) || !(from[at] >>> 24)) continue;
      to[at] = from[at];
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  if (!crop || !right) [left, top, right, bottom] = [0, 0, width, height];
  const made = new OffscreenCanvas(right - left, bottom - top);
  const context = made.getContext('2d');
  if (background) {
    context.fillStyle = background;
    context.fillRect(0, 0, made.width, made.height);
  }
  context.drawImage(canvasOf(rgba, width, height), -left, -top);
  return made.convertToBlob({type: 'image/png'});
}

/** White where one of the classes is, black elsewhere. */
export function mask({width, height}, ids, picked) {
  return paint(width, height, ids, (id) => (picked.has(id) ? [255, 255, 255] : [0, 0, 0]));
}

/** Each pixel's class id as a grey value. */
export function labelMap({width, height}, ids) {
  return paint(width, height, ids, (id) => [id, id, id]);
}

function paint(width, height, ids, colorOf) {
  const rgba = new Uint8ClampedArray(4 * ids.length);
  const table = Array.from({length: 256}, (_, id) => [...colorOf(id), 255]);
  for (let at = 0; at < ids.length; at += 1) rgba.set(table[ids[at]], 4 * at);
  return canvasOf(rgba, width, height).convertToBlob({type: 'image/png'});
}
