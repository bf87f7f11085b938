// The regions of a photo: what clothseg/app/components/parts.py finds, for the stage and the cards.

const MIN_SHARE = 3e-4; // of the photo; smaller regions are specks
const SIDE = 800; // longer side of the map on which places are measured

/** A map of ids, reduced or enlarged by nearest neighbour. */
export function resizeIds(ids, width, height, wide, high) {
  if (wide === width && high === height) return ids;
  const made = new Uint8Array(wide * high);
  const columns = Int32Array.from({length: wide}, (_, x) => Math.min(width - 1, Math.floor(((x + 0.5) * width) / wide)));
  for (let y = 0, at = 0; y < high; y += 1) {
    const row = Math.min(height - 1, Math.floor(((y + 0.5) * height) / high)) * width;
    for (let x = 0; x < wide; x += 1, at += 1) made[at] = ids[row + columns[x]];
  }
  return made;
}

/** [width, height] of a photo whose longer side is reduced to `side`. */
export function fitted(width, height, side) {
  const scale = Math.min(1, side / Math.max(width, height));
  return [width, height].map((length) => Math.max(1, Math.round(length * scale)));
}

/**
 * The classes in a label map that are no specks, by id.
 * @returns {{id, share, box, point, depth}[]} box [x, y, width, height], the point [x, y] that lies deepest in it and
 *     its distance from the outline, in pixels of the photo.
 */
export function findParts(ids, width, height, classes) {
  const counts = new Array(classes).fill(0);
  for (const id of ids) counts[id] += 1;
  const [wide, high] = fitted(width, height, SIDE);
  const small = resizeIds(ids, width, height, wide, high);
  const [across, down] = [width / wide, height / high];
  const found = [];
  for (let id = 1; id < classes; id += 1) {
    const share = counts[id] / ids.length;
    const place = share >= MIN_SHARE ? placeOf(small, wide, high, id) : null;
    if (!place) continue;
    const [left, top, right, bottom] = place.box;
    found.push({
      id,
      share,
      box: [left * across, top * down, (right - left) * across, (bottom - top) * down].map(Math.round),
      point: [Math.floor((place.x + 0.5) * across), Math.floor((place.y + 0.5) * down)],
      depth: place.depth * Math.min(across, down),
    });
  }
  return found;
}

// Box, deepest cell and its depth of a class; the depth by chamfer distances, where the picture's edge is an outline.
const [STRAIGHT, DIAGONAL] = [0.955, 1.3693]; // OpenCV's weights of DIST_L2 with a mask of 3
function placeOf(ids, width, height, id) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      if (ids[at] !== id) continue;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  if (!right) return null;
  const [wide, high] = [right - left + 2, bottom - top + 2];
  const depth = new Float32Array(wide * high);
  const nearer = (at, steps) => {
    for (const [step, cost] of steps) {
      if (depth[at + step] + cost < depth[at]) depth[at] = depth[at + step] + cost;
    }
  };
  const before = [[-1, STRAIGHT], [-wide, STRAIGHT], [-wide - 1, DIAGONAL], [1 - wide, DIAGONAL]];
  for (let y = 1; y < high - 1; y += 1) {
    for (let x = 1; x < wide - 1; x += 1) {
      if (ids[(top + y - 1) * width + left + x - 1] !== id) continue;
      depth[y * wide + x] = Infinity;
      nearer(y * wide + x, before);
    }
  }
  const after = before.map(([step, cost]) => [-step, cost]);
  const best = {x: left, y: top, depth: 0};
  for (let y = high - 2; y > 0; y -= 1) {
    for (let x = wide - 2; x > 0; x -= 1) {
      const at = y * wide + x;
      if (!depth[at]) continue;
      nearer(at, after);
      if (depth[at] >= best.depth) Object.assign(best, {x: left + x - 1, y: top + y - 1, depth: depth[at]});
    }
  }
  return {box: [left, top, right, bottom], ...best};
}
