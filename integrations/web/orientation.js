// Photos that are not upright are turned, as in clothseg/postprocess/orientation.py, whose constants and names these are.

import {bestClasses, softmax} from './labels.js';
import {crop, findZoomCrop} from './zoom.js';

const CONFIDENCE = 0.9;
const CONFIDENCE_OF_PERSON = 0.85;
const CONFIDENCE_OF_HEAD = 0.7;
const LARGE_HEAD = 0.08;
const HEAD_HEIGHT = 0.2;
const HEAD_HEIGHT_WITHOUT_LEGS = 0.4;
const LEGS_HEIGHT = 0.55;
const HEAD_LEAST = 0.03;
const LEGS_LEAST = 0.06;
const GAIN = 0.02;
const CONFIDENCE_OF_TURNED = 0.75;
const SLACK = 0.1;
const FIGURE_LEAST = 0.002;

// The features of a first pass that show whether the photo is upright.
function findLayout(logits, roles) {
  const {height, width, classes} = logits;
  const cells = height * width;
  const shares = softmax(logits).data;
  const places = [];
  bestClasses(logits).forEach((id, at) => id && places.push(at));
  if (!places.length) return judged({figure: 0, confidence: 0, head: 0, headHeight: 0, legs: 0, legsHeight: 0});
  const first = Math.floor(places[0] / width);
  const last = Math.floor(places[places.length - 1] / width);
  const part = (ids) => {
    let [total, heights] = [0, 0];
    for (const at of places) {
      const weight = ids.reduce((sum, id) => sum + shares[id * cells + at], 0);
      total += weight;
      heights += (weight * (Math.floor(at / width) - first)) / Math.max(1, last - first);
    }
    return [total / places.length, heights / Math.max(total, 1e-6)];
  };
  let confidence = 0;
  for (const at of places) {
    let most = 0;
    for (let id = 0; id < classes; id += 1) most = Math.max(most, shares[id * cells + at]);
    confidence += most / places.length;
  }
  const [head, headHeight] = part(roles.head);
  const [legs, legsHeight] = part(roles.legs);
  return judged({figure: places.length / cells, confidence, head, headHeight, legs, legsHeight});
}

function judged(layout) {
  const {confidence, head, headHeight, legs, legsHeight} = layout;
  const hasLegs = legs >= LEGS_LEAST;
  const headLow = head >= HEAD_LEAST && headHeight > (hasLegs ? HEAD_HEIGHT : HEAD_HEIGHT_WITHOUT_LEGS);
  const upsideDown = headLow || (hasLegs && legsHeight < LEGS_HEIGHT);
  const showsPerson = (head >= HEAD_LEAST || hasLegs) && !upsideDown;
  const largeHead = head >= LARGE_HEAD && headHeight <= HEAD_HEIGHT;
  const least = largeHead ? CONFIDENCE_OF_HEAD : showsPerson ? CONFIDENCE_OF_PERSON : CONFIDENCE;
  const upright = !upsideDown && confidence >= least;
  return {...layout, showsPerson, upright, mayBeUpright: upright || (confidence >= CONFIDENCE_OF_TURNED && showsPerson)};
}

/**
 * How to turn a picture so that its people are upright.
 * @returns {{rotation, picture, logits, zoomed}} degrees clockwise, the turned picture and its logits, and its zoom crop
 *     {box, logits}, if that was computed.
 */
export async function findOrientation(picture, logits, infer, about) {
  const {roles, input} = about;
  const aspect = input[0] / input[1];
  const first = await examine(picture, 0, logits);
  if (!(roles.head.length || roles.legs.length) || first.layout.upright || first.layout.figure < FIGURE_LEAST) return first;
  let [best, most] = [first, first.layout.confidence + GAIN];
  for (const rotation of picture.width > picture.height ? [90, 270, 180] : [180, 90, 270]) {
    const turned = turn(picture, rotation);
    const other = await examine(turned, rotation, await infer(turned));
    const {layout} = other;
    if (layout.upright && layout.showsPerson && layout.confidence > first.layout.confidence - SLACK) return other;
    if (layout.confidence > most && layout.mayBeUpright) [best, most] = [other, layout.confidence];
  }
  return best;

  // A small figure is judged by its zoom crop: the network is never certain of small figures.
  async function examine(turned, rotation, whole) {
    let layout = findLayout(whole, roles);
    let zoomed = null;
    if (layout.figure >= FIGURE_LEAST && !layout.upright) {
      const box = findZoomCrop(whole, turned.width, turned.height, aspect);
      if (box) {
        zoomed = {box, logits: await infer(crop(turned, box))};
        layout = findLayout(zoomed.logits, roles);
      }
    }
    return {rotation, picture: turned, logits: whole, zoomed, layout};
  }
}

// The source of each pixel of a picture that is turned clockwise.
function* sources(width, height, rotation) {
  const [wide, high] = rotation % 180 ? [height, width] : [width, height];
  for (let y = 0; y < high; y += 1) {
    for (let x = 0; x < wide; x += 1) {
      if (rotation === 90) yield (height - 1 - x) * width + y;
      else if (rotation === 180) yield (height - 1 - y) * width + width - 1 - x;
      else yield x * width + width - 1 - y;
    }
  }
}

/** A picture {pixels: RGB, width, height} turned clockwise by 90, 180 or 270 degrees. */
export function turn({pixels, width, height}, rotation) {
  const made = new Uint8ClampedArray(pixels.length);
  let to = 0;
  for (const from of sources(width, height, rotation)) {
    made[to] = pixels[3 * from];
    made[to + 1] = pixels[3 * from + 1];
    made[to + 2] = pixels[3 * from + 2];
    to += 3;
  }
  return rotation % 180 ? {pixels: made, width: height, height: width} : {pixels: made, width, height};
}

/** The label map of a picture that was turned clockwise, of its size, as it belongs to the picture itself. */
export function turnBack(ids, width, height, rotation) {
  if (!rotation) return ids;
  const made = new Uint8Array(ids.length);
  let to = 0;
  for (const from of sources(width, height, 360 - rotation)) made[to++] = ids[from];
  return made;
}
