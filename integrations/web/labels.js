// From the network's logits to class ids at the photo's own size, by bilinear interpolation: `edges="plain"` of the
// library. Logits are {data: Float32Array, classes, height, width}, plane after plane.

/** The class with the largest logit in each cell; the lower id wins if equal. */
export function bestClasses({data, classes, height, width}) {
  const cells = height * width;
  const best = new Uint8Array(cells);
  const most = data.slice(0, cells);
  for (let id = 1; id < classes; id += 1) {
    for (let cell = 0, at = id * cells; cell < cells; cell += 1, at += 1) {
      if (data[at] > most[cell]) [most[cell], best[cell]] = [data[at], id];
    }
  }
  return best;
}

/** Softmax over the classes, as logits are stored. */
export function softmax({data, classes, height, width}) {
  const cells = height * width;
  const made = new Float32Array(data.length);
  for (let cell = 0; cell < cells; cell += 1) {
    let most = -Infinity;
    for (let at = cell; at < data.length; at += cells) most = Math.max(most, data[at]);
    let sum = 0;
    for (let at = cell; at < data.length; at += cells) sum += made[at] = Math.exp(data[at] - most);
    for (let at = cell; at < data.length; at += cells) made[at] /= sum;
  }
  return {data: made, classes, height, width};
}

/**
 * The last of `source` values before the centre of each of `side` pixels, and the distance (0..1) from it; of the first
 * `count` pixels, where `side` is no whole number.
 */
export function positions(source, side, count = side) {
  const first = new Int32Array(count);
  const share = new Float32Array(count);
  for (let pixel = 0; pixel < count; pixel += 1) {
    const at = Math.min(source - 1, Math.max(0, (pixel + 0.5) * (source / side) - 0.5));
    first[pixel] = Math.floor(at);
    share[pixel] = at - first[pixel];
  }
  return {first, share};
}

/**
 * The label map (height x width) of logits.
 *
 * A class that is lower than another one at all four logits around a pixel cannot win there, so that only the others
 * are interpolated.
 */
export function labelPixels(logits, width, height) {
  const {data, classes, height: rows, width: columns} = logits;
  const cells = rows * columns;
  const best = bestClasses(logits);
  const down = positions(rows, height);
  const across = positions(columns, width);
  const made = new Uint8Array(width * height);
  const most = new Float32Array(width); // of the row's pixels so far
  for (let top = 0; top < height; ) {
    const row = down.first[top];
    let bottom = top + 1;
    while (bottom < height && down.first[bottom] === row) bottom += 1;
    const below = Math.min(row + 1, rows - 1);
    for (let left = 0; left < width; ) {
      const column = across.first[left];
      let right = left + 1;
      while (right < width && across.first[right] === column) right += 1;
      const next = Math.min(column + 1, columns - 1);
      const corners = [row * columns + column, row * columns + next, below * columns + column, below * columns + next];
      const rivals = possible(data, classes, cells, corners, best);
      for (let y = top; y < bottom; y += 1) {
        const line = y * width;
        if (rivals.length === 1) {
          made.fill(rivals[0], line + left, line + right);
          continue;
        }
        const v = down.share[y];
        for (const id of rivals) {
          const plane = id * cells;
          const start = data[plane + corners[0]] + (data[plane + corners[2]] - data[plane + corners[0]]) * v;
          const end = data[plane + corners[1]] + (data[plane + corners[3]] - data[plane + corners[1]]) * v;
          for (let x = left; x < right; x += 1) {
            const value = start + (end - start) * across.share[x];
            if (id === rivals[0] || value > most[x]) {
              most[x] = value;
              made[line + x] = id;
            }
          }
        }
      }
      left = right;
    }
    top = bottom;
  }
  return made;
}

function possible(data, classes, cells, corners, best) {
  const leaders = [...new Set(corners.map((corner) => best[corner]))];
  if (leaders.length === 1) return leaders;
  const rivals = [];
  for (let id = 0; id < classes; id += 1) {
    const beaten = (leader) => corners.every((corner) => data[id * cells + corner] < data[leader * cells + corner]);
    if (!leaders.some(beaten)) rivals.push(id);
  }
  return rivals;
}
