// Borders that follow the photo's edges: the guided filter, as in clothseg/postprocess/guided_edges.py, whose constants
// and names these are. The filter is fitted on a reduced copy and applied to the photo itself.

import {bestClasses, positions, softmax} from './labels.js';

const FIT_SIDE = 320;
const CELL = 2;
const RADIUS = 0.02;
const EPS = 3e-4;
const LEAST = 0.05;
const FLAT = 0.26;
const CANDIDATE = 0.1;

// Python's round: halves go to the even number.
export function round(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}

/**
 * The label map (height x width) of logits, along the photo's edges.
 * @param logits as in labels.js.
 * @param {Uint8ClampedArray} pixels RGB of the photo.
 */
export function followEdges(logits, pixels, width, height) {
  const classes = [...new Set(bestClasses(logits))].sort((one, other) => one - other);
  const made = new Uint8Array(width * height);
  if (classes.length === 1) return made.fill(classes[0]);
  const longer = Math.max(width, height);
  const fine = Math.max(1, Math.floor(longer / FIT_SIDE));
  const cell = longer >= FIT_SIDE ? CELL : 1;
  const shrink = fine * cell;
  const columns = Math.max(1, Math.floor(width / shrink));
  const rows = Math.max(1, Math.floor(height / shrink));
  const wide = Math.ceil(Math.min(columns * shrink, width) / fine);
  const high = Math.ceil(Math.min(rows * shrink, height) / fine);
  const copy = reduced(pixels, width, height, fine, wide, high);
  const averaged = (plane) => (cell === 1 ? plane : cellMeans(plane, wide, high, cell, columns, rows));
  const guide = copy.map(averaged);
  const planes = probabilities(logits, classes, width, height, shrink, columns, rows);
  const lines = fit(copy, averaged, planes, columns, rows);
  const likely = likelyCells(lines, guide, columns * rows);
  return best(made, classes, lines, likely, pixels, {width, height, shrink, columns, rows});
}

// The means of blocks of the photo, 0..1: three planes.
function reduced(pixels, width, height, shrink, columns, rows) {
  const cells = columns * rows;
  const guide = [new Float32Array(cells), new Float32Array(cells), new Float32Array(cells)];
  for (let row = 0, cell = 0; row < rows; row += 1) {
    const bottom = Math.min(height, (row + 1) * shrink);
    for (let column = 0; column < columns; column += 1, cell += 1) {
      const right = Math.min(width, (column + 1) * shrink);
      let [red, green, blue] = [0, 0, 0];
      for (let y = row * shrink; y < bottom; y += 1) {
        for (let at = 3 * (y * width + column * shrink), end = 3 * (y * width + right); at < end; at += 3) {
          red += pixels[at];
          green += pixels[at + 1];
          blue += pixels[at + 2];
        }
      }
      const count = (bottom - row * shrink) * (right - column * shrink);
      guide[0][cell] = Math.floor((red + count / 2) / count) / 255;
      guide[1][cell] = Math.floor((green + count / 2) / count) / 255;
      guide[2][cell] = Math.floor((blue + count / 2) / count) / 255;
    }
  }
  return guide;
}

// The means of a plane of the copy over cells of `cell` x `cell` of its pixels, fewer in very narrow photos.
function cellMeans(plane, wide, high, cell, columns, rows) {
  const made = new Float64Array(columns * rows);
  for (let row = 0, at = 0; row < rows; row += 1) {
    const bottom = Math.min(high, (row + 1) * cell);
    for (let column = 0; column < columns; column += 1, at += 1) {
      const right = Math.min(wide, (column + 1) * cell);
      for (let y = row * cell; y < bottom; y += 1) {
        for (let x = column * cell; x < right; x += 1) made[at] += plane[y * wide + x];
      }
      made[at] /= (bottom - row * cell) * (right - column * cell);
    }
  }
  return made;
}

// The probabilities of the classes in each cell; small ones are 0, and they sum to 1.
function probabilities(logits, classes, width, height, shrink, columns, rows) {
  const all = softmax(logits);
  const cells = columns * rows;
  // The copy may end before the photo does, so that it is a part of a map with fractions of cells.
  const across = positions(logits.width, Math.max(width, shrink) / shrink, columns);
  const down = positions(logits.height, Math.max(height, shrink) / shrink, rows);
  const planes = classes.map((id) => {
    const source = all.data.subarray(id * logits.height * logits.width);
    const plane = new Float32Array(cells);
    for (let row = 0, cell = 0; row < rows; row += 1) {
      const upper = down.first[row] * logits.width;
      const lower = Math.min(down.first[row] + 1, logits.height - 1) * logits.width;
      for (let column = 0; column < columns; column += 1, cell += 1) {
        const left = across.first[column];
        const right = Math.min(left + 1, logits.width - 1);
        const u = across.share[column];
        const above = source[upper + left] + (source[upper + right] - source[upper + left]) * u;
        const below = source[lower + left] + (source[lower + right] - source[lower + left]) * u;
        plane[cell] = above + (below - above) * down.share[row];
      }
    }
    return plane;
  });
  for (let cell = 0; cell < cells; cell += 1) {
    let likeliest = 0;
    for (const plane of planes) if (plane[cell] > likeliest) likeliest = plane[cell];
    const least = LEAST * Math.min(1, likeliest / FLAT);
    let sum = 0;
    for (const plane of planes) {
      if (plane[cell] <= least) plane[cell] = 0;
      sum += plane[cell];
    }
    for (const plane of planes) plane[cell] /= Math.max(sum, least);
  }
  return planes;
}

// The sum over each cell's window, of the part of it that lies in the picture.
function boxSum(plane, columns, rows, radius, into) {
  const wide = new Float64Array(columns * rows);
  for (let row = 0; row < rows; row += 1) {
    const start = row * columns;
    let sum = 0;
    for (let at = 0; at < Math.min(radius, columns); at += 1) sum += plane[start + at];
    for (let at = 0; at < columns; at += 1) {
      if (at + radius < columns) sum += plane[start + at + radius];
      if (at - radius - 1 >= 0) sum -= plane[start + at - radius - 1];
      wide[start + at] = sum;
    }
  }
  const sums = new Float64Array(columns);
  for (let row = 0; row < Math.min(radius, rows); row += 1) {
    for (let at = 0; at < columns; at += 1) sums[at] += wide[row * columns + at];
  }
  for (let row = 0; row < rows; row += 1) {
    const [enters, leaves] = [(row + radius) * columns, (row - radius - 1) * columns];
    for (let at = 0; at < columns; at += 1) {
      if (row + radius < rows) sums[at] += wide[enters + at];
      if (leaves >= 0) sums[at] -= wide[leaves + at];
      into[row * columns + at] = sums[at];
    }
  }
  return into;
}

// Each class's linear function of the colours in each cell: factors of red, green and blue, and a constant. They are
// fitted to the colours of the copy, of which a cell contains several.
function fit(copy, averaged, planes, columns, rows) {
  const cells = columns * rows;
  const radius = Math.max(1, round(RADIUS * Math.max(columns, rows)));
  const ones = new Float64Array(cells).fill(1);
  const share = boxSum(ones, columns, rows, radius, new Float64Array(cells)).map((count) => 1 / count);
  const mean = (plane) => {
    const made = boxSum(plane, columns, rows, radius, new Float64Array(cells));
    for (let cell = 0; cell < cells; cell += 1) made[cell] *= share[cell];
    return made;
  };
  const product = (one, other) => one.map((value, cell) => value * other[cell]);
  const fine = copy.map((band) => Float64Array.from(band));
  const bands = fine.map(averaged);
  const centre = bands.map(mean);
  const moment = (one, other) => {
    const made = mean(averaged(product(fine[one], fine[other])));
    for (let cell = 0; cell < cells; cell += 1) {
      made[cell] += (one === other ? EPS : 0) - centre[one][cell] * centre[other][cell];
    }
    return made;
  };
  const inverse = inverted(moment(0, 0), moment(0, 1), moment(0, 2), moment(1, 1), moment(1, 2), moment(2, 2));
  const sums = planes.map((plane) => plane.reduce((total, value) => total + value, 0));
  const largest = sums.indexOf(Math.max(...sums));
  const rest = [new Float64Array(cells), new Float64Array(cells), new Float64Array(cells), new Float64Array(cells).fill(1)];
  const lines = planes.map((plane, index) => (index === largest ? rest : line(plane)));
  // The functions sum to 1, as the planes do.
  lines.forEach((each, index) => {
    if (index === largest) return;
    each.forEach((values, part) => {
      for (let cell = 0; cell < cells; cell += 1) rest[part][cell] -= values[cell];
    });
  });
  return lines;

  function line(plane) {
    const level = mean(plane);
    const covariance = bands.map((band, index) => {
      const made = mean(product(band, plane));
      for (let cell = 0; cell < cells; cell += 1) made[cell] -= centre[index][cell] * level[cell];
      return made;
    });
    const [a, b, c] = [new Float64Array(cells), new Float64Array(cells), new Float64Array(cells)];
    for (let cell = 0; cell < cells; cell += 1) {
      const [red, green, blue] = [covariance[0][cell], covariance[1][cell], covariance[2][cell]];
      a[cell] = inverse[0][cell] * red + inverse[1][cell] * green + inverse[2][cell] * blue;
      b[cell] = inverse[1][cell] * red + inverse[3][cell] * green + inverse[4][cell] * blue;
      c[cell] = inverse[2][cell] * red + inverse[4][cell] * green + inverse[5][cell] * blue;
      level[cell] -= a[cell] * centre[0][cell] + b[cell] * centre[1][cell] + c[cell] * centre[2][cell];
    }
    return [a, b, c, level].map(mean);
  }
}

// The inverses of symmetric matrices, given and returned by their upper triangles.
function inverted(rr, rg, rb, gg, gb, bb) {
  const made = Array.from({length: 6}, () => new Float64Array(rr.length));
  for (let cell = 0; cell < rr.length; cell += 1) {
    const [a, b, c, d, e, f] = [rr[cell], rg[cell], rb[cell], gg[cell], gb[cell], bb[cell]];
    const first = d * f - e * e;
    const second = c * e - b * f;
    const third = b * e - c * d;
    const scale = 1 / (a * first + b * second + c * third);
    made[0][cell] = first * scale;
    made[1][cell] = second * scale;
    made[2][cell] = third * scale;
    made[3][cell] = (a * f - c * c) * scale;
    made[4][cell] = (b * c - a * e) * scale;
    made[5][cell] = (a * d - b * b) * scale;
  }
  return made;
}

// For each class, 1 for the cells that are not far from winning.
function likelyCells(lines, guide, cells) {
  const values = lines.map(([a, b, c, constant]) => {
    const made = new Float32Array(cells);
    for (let cell = 0; cell < cells; cell += 1) {
      made[cell] = a[cell] * guide[0][cell] + b[cell] * guide[1][cell] + c[cell] * guide[2][cell] + constant[cell];
    }
    return made;
  });
  const threshold = new Float32Array(cells);
  for (const value of values) {
    for (let cell = 0; cell < cells; cell += 1) if (value[cell] > threshold[cell]) threshold[cell] = value[cell];
  }
  for (let cell = 0; cell < cells; cell += 1) threshold[cell] = CANDIDATE * Math.min(1, threshold[cell] / FLAT);
  return values.map((value) => value.map((here, cell) => here > threshold[cell]));
}

// The best class of each pixel. A gap is the square between the centres of four neighbouring cells, and a class can
// win in it if it is likely in one of these cells.
function best(made, classes, lines, likely, pixels, {width, height, shrink, columns, rows}) {
  const outside = shrink - Math.floor(shrink / 2);
  const [gapRows, gapColumns] = [height, width].map((side) => Math.ceil((side + outside) / shrink));
  const after = Float32Array.from({length: shrink}, (_, at) => (at + (shrink % 2 ? 0 : 0.5)) / shrink);
  const near = likely.map((cells) => spread(cells, columns, rows, gapColumns, gapRows));
  const functions = lines.map(([a, b, c, d]) => {
    const joined = new Float32Array(4 * columns * rows);
    for (let cell = 0; cell < columns * rows; cell += 1) joined.set([a[cell], b[cell], c[cell], d[cell]], 4 * cell);
    return joined;
  });
  const corner = new Int32Array(4);
  const [from, slope] = [new Float64Array(4), new Float64Array(4)]; // along a row of a gap
  const most = new Float32Array(shrink * shrink);
  for (let gapRow = 0; gapRow < gapRows; gapRow += 1) {
    const top = Math.max(0, gapRow * shrink - outside);
    const bottom = Math.min(height, (gapRow + 1) * shrink - outside);
    const above = Math.min(Math.max(gapRow - 1, 0), rows - 1) * columns;
    const below = Math.min(gapRow, rows - 1) * columns;
    for (let gapColumn = 0; gapColumn < gapColumns; gapColumn += 1) {
      const left = Math.max(0, gapColumn * shrink - outside);
      const right = Math.min(width, (gapColumn + 1) * shrink - outside);
      const before = Math.min(Math.max(gapColumn - 1, 0), columns - 1);
      const beyond = Math.min(gapColumn, columns - 1);
      const gap = gapRow * gapColumns + gapColumn;
      const here = [];
      for (let index = 0; index < classes.length; index += 1) if (near[index][gap]) here.push(index);
      if (here.length < 2) {
        const id = classes[here.length ? here[0] : 0];
        for (let y = top; y < bottom; y += 1) made.fill(id, y * width + left, y * width + right);
        continue;
      }
      corner.set([above + before, above + beyond, below + before, below + beyond].map((cell) => 4 * cell));
      most.fill(-Infinity);
      for (const index of here) {
        const line = functions[index];
        const id = classes[index];
        for (let y = top; y < bottom; y += 1) {
          const v = after[y - gapRow * shrink + outside];
          for (let part = 0; part < 4; part += 1) {
            const start = line[corner[0] + part] * (1 - v) + line[corner[2] + part] * v;
            const end = line[corner[1] + part] * (1 - v) + line[corner[3] + part] * v;
            const scale = part < 3 ? 255 : 1; // of the guide
            from[part] = start / scale;
            slope[part] = (end - start) / scale;
          }
          const shift = outside - gapColumn * shrink;
          for (let x = left, at = 3 * (y * width + left); x < right; x += 1, at += 3) {
            const u = after[x + shift];
            const value =
              (from[0] + slope[0] * u) * pixels[at] + (from[1] + slope[1] * u) * pixels[at + 1] +
              (from[2] + slope[2] * u) * pixels[at + 2] + from[3] + slope[3] * u;
            const place = (y - top) * shrink + x - left;
            if (value > most[place]) {
              most[place] = value;
              made[y * width + x] = id;
            }
          }
        }
      }
    }
  }
  return made;
}

// 1 for the gaps whose four cells contain one.
function spread(cells, columns, rows, gapColumns, gapRows) {
  const made = new Uint8Array(gapRows * gapColumns);
  for (let gapRow = 0, gap = 0; gapRow < gapRows; gapRow += 1) {
    const above = Math.min(Math.max(gapRow - 1, 0), rows - 1) * columns;
    const below = Math.min(gapRow, rows - 1) * columns;
    for (let gapColumn = 0; gapColumn < gapColumns; gapColumn += 1, gap += 1) {
      const before = Math.min(Math.max(gapColumn - 1, 0), columns - 1);
      const beyond = Math.min(gapColumn, columns - 1);
      made[gap] = cells[above + before] | cells[above + beyond] | cells[below + before] | cells[below + beyond];
    }
  }
  return made;
}
