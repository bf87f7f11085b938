// Legs are removed from a photo that ends above them, as `without_legs` of clothseg/postprocess/cleanup.py does.

import {bestClasses, softmax} from './labels.js';
import {pieces} from './pieces.js';

const LEGS_BELOW = 3;
const LEGS_LEAST = 0.01;
const LEGS_DOUBTED = 0.03;
const LEGS_SURE = 0.75;

/** The logits without leg and shoe pixels where the rule says so, else the same. `roles` as in model.json. */
export function withoutLegs(logits, {legs, face, has_face: hasFace}) {
  if (!legs.length || !hasFace) return logits;
  const {data, height, width} = logits;
  const cells = height * width;
  const best = bestClasses(logits);
  const [isLeg, isFace] = [new Set(legs), new Set(face)];
  const places = [];
  let figure = 0;
  best.forEach((id, at) => {
    figure += id > 0;
    if (isLeg.has(id)) places.push(at);
  });
  const share = places.length / Math.max(1, figure);
  if (!(share > 0 && share < LEGS_DOUBTED)) return logits;
  if (share >= LEGS_LEAST) {
    const shares = softmax(logits).data;
    const sure = places.reduce((sum, at) => sum + legs.reduce((all, id) => all + shares[id * cells + at], 0), 0);
    if (sure / places.length >= LEGS_SURE) return logits;
  }
  const {found} = pieces(Uint8Array.from(best, (id) => isFace.has(id)), width, height);
  const largest = Math.max(0, ...found.map((piece) => piece.area));
  const faces = found.filter((piece) => piece.area >= 0.1 * largest);
  const goesOn = (piece) => height - (piece.top + piece.height) >= LEGS_BELOW * piece.height;
  if (!faces.length || faces.some(goesOn)) return logits;
  const made = data.slice();
  const least = data.reduce((low, value) => Math.min(low, value), Infinity);
  for (const id of legs) made.fill(least, id * cells, (id + 1) * cells);
  return {...logits, data: made};
}
