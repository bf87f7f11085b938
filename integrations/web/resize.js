// Pillow's Image.resize for 8-bit pictures, to the last bit: the library makes the network's input with it.

const BITS = 22; // of the weights' fixed point: 32 - 8 - 2, as in Pillow

const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

function cubic(x) {
  const a = -0.5;
  const at = Math.abs(x);
  if (at < 1) return ((a + 2) * at - (a + 3)) * at * at + 1;
  return at < 2 ? (((at - 5) * at + 8) * at - 4) * a : 0;
}

// Pillow's number of a filter -> its function and half width.
const FILTERS = {
  1: [(x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0), 3],
  2: [(x) => Math.max(0, 1 - Math.abs(x)), 1],
  3: [cubic, 2],
  4: [(x) => (x > -0.5 && x <= 0.5 ? 1 : 0), 0.5],
  5: [(x) => (Math.abs(x) < 1 ? (x === 0 ? 1 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))) : 0), 1],
};

// For each place of `length` made of `source`: its first source place and the weights from there on.
function weights(source, length, [filter, half]) {
  const scale = source / length;
  const stretch = Math.max(scale, 1);
  const support = half * stretch;
  return Array.from({length}, (_, at) => {
    const centre = (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(source, Math.trunc(centre + support + 0.5)) - first;
    const exact = Array.from({length: count}, (_, tap) => filter((tap + first - centre + 0.5) / stretch));
    const sum = exact.reduce((total, weight) => total + weight, 0);
    const rounded = exact.map((weight) => {
      const value = (sum === 0 ? weight : weight / sum) * (1 << BITS);
      return Math.trunc(value < 0 ? value - 0.5 : value + 0.5);
    });
    return {first, taps: Int32Array.from(rounded)};
  });
}

// One pass over `lines` lines: the n-th value of a line is at line * stride + n * step, and 3 channels follow each other.
function pass(from, to, lines, all, [fromLine, fromStep], [toLine, toStep]) {
  for (let line = 0; line < lines; line += 1) {
    for (let at = 0; at < all.length; at += 1) {
      const {first, taps} = all[at];
      let red = 1 << (BITS - 1);
      let green = red;
      let blue = red;
      for (let tap = 0, place = line * fromLine + first * fromStep; tap < taps.length; tap += 1, place += fromStep) {
        const weight = taps[tap];
        red += from[place] * weight;
        green += from[place + 1] * weight;
        blue += from[place + 2] * weight;
      }
      const place = line * toLine + at * toStep;
      to[place] = red >> BITS; // clamped arrays clip
      to[place + 1] = green >> BITS;
      to[place + 2] = blue >> BITS;
    }
  }
}

function nearest(pixels, [width, height], [wide, high]) {
  const made = new Uint8ClampedArray(3 * wide * high);
  for (let y = 0, to = 0; y < high; y += 1) {
    const row = Math.min(height - 1, Math.floor(((y + 0.5) * height) / high)) * width;
    for (let x = 0; x < wide; x += 1, to += 3) {
      const from = 3 * (row + Math.min(width - 1, Math.floor(((x + 0.5) * width) / wide)));
      made.set(pixels.subarray(from, from + 3), to);
    }
  }
  return made;
}

/**
 * Resize a picture.
 * @param {Uint8ClampedArray} pixels RGB, row after row.
 * @param {number[]} size [width, height] of it.
 * @param {number[]} wanted [width, height].
 * @param {number} resample Pillow's number of the filter.
 * @returns {Uint8ClampedArray} RGB.
 */
export function resize(pixels, size, wanted, resample) {
  if (resample === 0) return nearest(pixels, size, wanted);
  const [[width, height], [wide, high]] = [size, wanted];
  let narrow = pixels;
  if (wide !== width) {
    narrow = new Uint8ClampedArray(3 * wide * height);
    pass(pixels, narrow, height, weights(width, wide, FILTERS[resample]), [3 * width, 3], [3 * wide, 3]);
  }
  if (high === height) return narrow === pixels ? pixels.slice() : narrow;
  const made = new Uint8ClampedArray(3 * wide * high);
  pass(narrow, made, wide, weights(height, high, FILTERS[resample]), [3, 3 * wide], [3, 3 * wide]);
  return made;
}
