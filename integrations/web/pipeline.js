// From a photo to its label map: the library's steps and defaults, in its order (clothseg/postprocess/pipeline.py).

import {followEdges} from './guided.js';
import {labelPixels} from './labels.js';

/**
 * The label map of a picture {pixels: RGB, width, height}.
 * @param infer gives the logits of a picture; asynchronous.
 * @param about what model.json says of the network.
 * @param {{edges: 'guided' | 'plain'}} options as in the library.
 */
export async function segment(picture, infer, about, {edges = 'guided'} = {}) {
  const logits = await infer(picture);
  const {pixels, width, height} = picture;
  return edges === 'plain' ? labelPixels(logits, width, height) : followEdges(logits, pixels, width, height);
}
