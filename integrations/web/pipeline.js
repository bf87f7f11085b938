// From a photo to its label map: the library's steps and defaults, in its order (clothseg/postprocess/pipeline.py).

import {followEdges} from './guided.js';
import {labelPixels} from './labels.js';
import {withoutLegs} from './legs.js';
import {findOrientation, turnBack} from './orientation.js';
import {blendCrop, crop, findZoomCrop} from './zoom.js';

/**
 * The label map of a picture {pixels: RGB, width, height}.
 * @param infer gives the logits of a picture; asynchronous.
 * @param about what model.json says of the network.
 * @param {{edges: 'guided' | 'plain', zoom: 'auto' | 'off', orientation: 'auto' | 'upright'}} options as in the library.
 */
export async function segment(picture, infer, about, {edges = 'guided', zoom = 'auto', orientation = 'auto'} = {}) {
  const logits = await infer(picture);
  const oriented =
    orientation === 'auto'
      ? await findOrientation(picture, logits, infer, about)
      : {rotation: 0, picture, logits, zoomed: null};
  const {picture: upright} = oriented;
  const ids = decode(upright, oriented.logits, edges, about);
  const aspect = about.input[0] / about.input[1];
  const box = zoom === 'auto' ? findZoomCrop(oriented.logits, upright.width, upright.height, aspect) : null;
  if (box) {
    const part = crop(upright, box);
    const known = oriented.zoomed && String(oriented.zoomed.box) === String(box);
    const closer = known ? oriented.zoomed.logits : await infer(part);
    const blended = blendCrop(closer, oriented.logits, box, upright.width, upright.height);
    paste(ids, upright.width, decode(part, blended, edges, about), part.width, box);
  }
  return turnBack(ids, upright.width, upright.height, oriented.rotation);
}

function decode({pixels, width, height}, logits, edges, {roles}) {
  if (edges === 'plain') return labelPixels(logits, width, height);
  return followEdges(withoutLegs(logits, roles), pixels, width, height);
}

function paste(ids, width, part, wide, [left, top, , bottom]) {
  for (let row = top; row < bottom; row += 1) {
    const from = (row - top) * wide;
    ids.set(part.subarray(from, from + wide), row * width + left);
  }
}
