// The pictures of which a view is composed, each of the map's size, created at first use.

const cache = new Map();
let drawn = ''; // what the base of the drawing shows: see paint.js

function forget(...names) {
  drawn = '';
  for (const name of names.length ? names : [...cache.keys()]) cache.delete(name);
}

function cached(name, make) {
  if (!cache.has(name)) cache.set(name, make());
  return cache.get(name);
}

const little = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1; // this machine's byte order
async function unpack(text, length) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const bytes = await new Response(stream).arrayBuffer();
  if (little) return new Uint16Array(bytes, 0, length);
  const ids = new Uint16Array(length);
  const view = new DataView(bytes);
  for (let at = 0; at < length; at += 1) ids[at] = view.getUint16(2 * at, true);
  return ids;
}

async function load(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

function blank(width, height) {
  const made = document.createElement('canvas');
  made.width = width;
  made.height = height;
  return made;
}

// 32 bits for the bytes r, g, b, a in memory.
function rgba(r, g, b, a) {
  return (little ? (a << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | a) >>> 0;
}

function channels(color) {
  const number = parseInt(color.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

// A canvas of the section [x, y, width, height] of the map; `table` gives the colour of each id.
function colored(table, [x, y, width, height]) {
  const made = blank(width, height);
  const context = made.getContext('2d');
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0, at = 0; row < height; row += 1) {
    let from = (y + row) * state.width + x;
    for (let column = 0; column < width; column += 1) pixels[at++] = table[state.ids[from++]];
  }
  context.putImageData(image, 0, 0);
  return made;
}

function tableOf(color) {
  const table = new Uint32Array(state.value.parts.length + 1);
  for (let id = 1; id < table.length; id += 1) table[id] = color(id);
  return table;
}

// The box [x, y, width, height] of a part in the map's pixels.
function boxOf(id) {
  return cached('boxes', () => {
    const count = state.value.parts.length + 1;
    const boxes = Array.from({length: count}, () => [state.width, state.height, 0, 0]);
    for (let row = 0, at = 0; row < state.height; row += 1) {
      for (let column = 0; column < state.width; column += 1, at += 1) {
        const box = boxes[state.ids[at]];
        if (column < box[0]) box[0] = column;
        if (column >= box[2]) box[2] = column + 1;
        if (row < box[1]) box[1] = row;
        box[3] = row + 1;
      }
    }
    return boxes.map(([left, top, right, bottom]) => (right ? [left, top, right - left, bottom - top] : [0, 0, 0, 0]));
  })[id];
}

// The photo's pixels of one part, in its box's size; null if it has no pixel.
function partPicture(id) {
  return cached(`part ${id}`, () => {
    const box = boxOf(id);
    if (!box[2]) return null;
    const made = colored(tableOf((other) => (other === id ? rgba(0, 0, 0, 255) : 0)), box);
    const context = made.getContext('2d');
    context.globalCompositeOperation = 'source-in';
    context.drawImage(state.photo, -box[0], -box[1], state.width, state.height);
    return made;
  });
}

// One part filled with a colour, in its box's size; null if it has no pixel.
function partColored(id, color) {
  return cached(`color ${id} ${color}`, () => {
    const box = boxOf(id);
    return box[2] ? colored(tableOf((other) => (other === id ? rgba(...channels(color), 255) : 0)), box) : null;
  });
}

// A picture of the map's size, composed of parts: fast, however large the map is.
function assembled(pictureOf) {
  const made = blank(state.width, state.height);
  const context = made.getContext('2d');
  state.value.parts.forEach((found, index) => {
    const [picture, opacity] = pictureOf(found, index + 1);
    if (!picture) return;
    context.globalAlpha = opacity;
    context.drawImage(picture, ...boxOf(index + 1).slice(0, 2));
  });
  return made;
}

// The picked parts of the photo.
function cutoutPicture() {
  return cached('cutout', () => assembled((found, id) => [state.picked.has(found.key) ? partPicture(id) : null, 1]));
}

// All parts in their colours; if any are picked, the others are fainter.
const FAINT = 0.55;
function regionsPicture() {
  return cached('regions', () => {
    const changed = relabelled();
    return assembled((found, id) => {
      const color = changed.get(found.key) || found.color;
      const faint = state.picked.size && !state.picked.has(found.key);
      return [color === 'none' ? null : partColored(id, color), faint ? FAINT : 1];
    });
  });
}

// The outline of a part along the edges of the map's pixels, in the map's pixels.
function outline(id) {
  return cached(`outline ${id}`, () => {
    const path = new Path2D();
    const [x, y, width, height] = boxOf(id);
    const has = (column, row) =>
      column >= x && row >= y && column < x + width && row < y + height && state.ids[row * state.width + column] === id;
    for (let row = y; row <= y + height; row += 1) {
      for (let column = x, start = -1; column <= x + width; column += 1) {
        const edge = column < x + width && has(column, row) !== has(column, row - 1);
        if (edge && start < 0) start = column;
        if (!edge && start >= 0) {
          path.moveTo(start, row);
          path.lineTo(column, row);
          start = -1;
        }
      }
    }
    for (let column = x; column <= x + width; column += 1) {
      for (let row = y, start = -1; row <= y + height; row += 1) {
        const edge = row < y + height && has(column, row) !== has(column - 1, row);
        if (edge && start < 0) start = row;
        if (!edge && start >= 0) {
          path.moveTo(column, start);
          path.lineTo(column, row);
          start = -1;
        }
      }
    }
    return path;
  });
}
