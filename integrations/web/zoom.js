// The zoom crop: a small figure is cropped and segmented again at a higher resolution, as in
// clothseg/postprocess/zoom_crop.py, whose constants and names these are. Boxes are [left, top, right, bottom].

import {round} from './guided.js';
import {bestClasses, softmax} from './labels.js';
import {pieces} from './pieces.js';

const PAYS_BELOW = 0.9;
const MARGIN = 0.15;
const FADE = 0.06;
const LEAST_PIECE = 0.1;
const FAINT = 0.4;
const SURE = 0.9;
const FAR = 0.5;
const STANDS = 1.2;

/** The box of the crop to segment again, or null. `aspect` is height over width of the network's input. */
export function findZoomCrop(logits, width, height, aspect) {
  const down = height / logits.height;
  const across = width / logits.width;
  const figures = findFigures(logits, across / down);
  if (!figures.length) return null;
  const left = Math.min(...figures.map((each) => each.left)) * across;
  const top = Math.min(...figures.map((each) => each.top)) * down;
  const right = Math.max(...figures.map((each) => each.left + each.width)) * across;
  const bottom = Math.max(...figures.map((each) => each.top + each.height)) * down;
  const [wide, high] = extent(right - left, bottom - top, aspect);
  if (Math.min(1, wide / width) * Math.min(1, high / height) > PAYS_BELOW ** 2) return null;
  return around([Math.trunc(left), Math.trunc(top), round(right), round(bottom)], aspect, width, height);
}

// The pieces that belong to the figure, in cells; `cell` is width over height of a cell in the photo.
function findFigures(logits, cell) {
  const {height, width} = logits;
  const shares = softmax(logits).data;
  const best = bestClasses(logits);
  const figure = (at) => 1 - shares[at];
  const mask = Uint8Array.from(best, (id, at) => id > 0 || figure(at) > FAINT);
  const {numbers, found} = pieces(mask, width, height);
  for (const piece of found) Object.assign(piece, {seen: 0, weight: 0});
  best.forEach((id, at) => {
    if (!id) return;
    const piece = found[numbers[at] - 1];
    piece.seen += 1;
    piece.weight += figure(at);
  });
  const most = () => Math.max(0, ...found.map((piece) => piece.seen));
  const sure = (piece) => piece.weight >= SURE * Math.max(piece.seen, 1);
  const whole = (piece) =>
    piece.left > 0 && piece.top > 0 && piece.left + piece.width < width && piece.top + piece.height < height;
  const stands = (piece) => piece.height >= STANDS * cell * piece.width && piece.height <= FAR * height;
  const largest = most();
  if (found.some((piece) => sure(piece) && whole(piece) && stands(piece) && piece.seen >= LEAST_PIECE * largest)) {
    for (const piece of found) if (!sure(piece)) piece.seen = 0;
  }
  const least = LEAST_PIECE * most();
  return found.filter((piece) => piece.seen > 0 && piece.seen >= least);
}

// A box with a margin, in the proportions `aspect` if the photo allows.
function around([left, top, right, bottom], aspect, width, height) {
  const [wide, high] = extent(right - left, bottom - top, aspect);
  const [start, end] = span((left + right) / 2, wide, width);
  const [above, below] = span((top + bottom) / 2, high, height);
  return [start, above, end, below];
}

function extent(width, height, aspect) {
  const [wide, high] = [(1 + 2 * MARGIN) * width, (1 + 2 * MARGIN) * height];
  return [Math.max(wide, high / aspect), Math.max(high, wide * aspect)];
}

function span(middle, wanted, limit) {
  const length = Math.min(round(wanted), limit);
  const start = Math.min(Math.max(0, round(middle - length / 2)), limit - length);
  return [start, start + length];
}

/** The crop's logits, blended with the whole photo's where the crop's edge is inside the photo. */
export function blendCrop(crop, whole, [left, top, right, bottom], width, height) {
  const ends = [top > 0, bottom < height, left > 0, right < width];
  if (!ends.includes(true)) return crop;
  const [rows, columns] = [crop.height, crop.width];
  const fromTop = rise(rows, ends[0], ends[1]);
  const fromLeft = rise(columns, ends[2], ends[3]);
  const across = whole.width / width;
  const down = whole.height / height;
  const wide = (across * (right - left)) / columns;
  const high = (down * (bottom - top)) / rows;
  const shares = softmax(crop);
  const first = softmax(whole).data;
  const cells = whole.width * whole.height;
  const made = new Float32Array(crop.data.length);
  for (let row = 0, cell = 0; row < rows; row += 1) {
    const y = high * row + top * down + high / 2 - 0.5;
    for (let column = 0; column < columns; column += 1, cell += 1) {
      const x = wide * column + left * across + wide / 2 - 0.5;
      const weight = Math.min(fromTop[row], fromLeft[column]);
      for (let id = 0; id < crop.classes; id += 1) {
        const at = id * rows * columns + cell;
        let share = shares.data[at];
        if (weight < 1) share += (1 - weight) * (interpolated(first, id * cells, whole.width, whole.height, x, y) - share);
        made[at] = Math.log(Math.max(share, 1e-6));
      }
    }
  }
  return {...crop, data: made};
}

function interpolated(plane, start, width, height, x, y) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const [u, v] = [x - column, y - row];
  const value = (r, c) =>
    plane[start + Math.min(height - 1, Math.max(0, r)) * width + Math.min(width - 1, Math.max(0, c))];
  const above = value(row, column) * (1 - u) + value(row, column + 1) * u;
  const below = value(row + 1, column) * (1 - u) + value(row + 1, column + 1) * u;
  return above * (1 - v) + below * v;
}

function rise(length, atStart, atEnd) {
  return Float32Array.from({length}, (_, at) => {
    const ramp = (place) => (place + 0.5) / (FADE * length);
    return Math.min(1, atStart ? ramp(at) : 1, atEnd ? ramp(length - 1 - at) : 1);
  });
}

/** The part of a picture {pixels: RGB, width, height} in a box. */
export function crop({pixels, width}, [left, top, right, bottom]) {
  const [wide, high] = [right - left, bottom - top];
  const made = new Uint8ClampedArray(3 * wide * high);
  for (let row = 0; row < high; row += 1) {
    const from = 3 * ((top + row) * width + left);
    made.set(pixels.subarray(from, from + 3 * wide), 3 * row * wide);
  }
  return {pixels: made, width: wide, height: high};
}
