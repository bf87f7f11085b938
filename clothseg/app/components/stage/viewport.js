// Where the photo lies in the frame: zoom, pan, and the way between the frame's pixels and the map's.

const MOST_ZOOM = 16;

// {scale, left, top}: the frame's pixels for a pixel of the map, and where the map's corner lies in the frame.
function placed() {
  const {clientWidth: across, clientHeight: down} = frame;
  if (!state.width || !across || !down) return {scale: 1, left: 0, top: 0};
  const scale = Math.min(across / state.width, down / state.height) * state.zoom;
  const along = (centre, size, room) =>
    size * scale <= room ? (room - size * scale) / 2 : Math.min(0, Math.max(room - size * scale, room / 2 - centre * scale));
  return {
    scale,
    left: along(state.centre[0], state.width, across),
    top: along(state.centre[1], state.height, down),
  };
}

// A point of the frame in the map's pixels; fractions count.
function toMap(x, y) {
  const {scale, left, top} = placed();
  return [(x - left) / scale, (y - top) / scale];
}

function toFrame(x, y) {
  const {scale, left, top} = placed();
  return [x * scale + left, y * scale + top];
}

// A point of the map in the photo's pixels.
function toPhoto(x, y) {
  return [(x * state.value.width) / state.width, (y * state.value.height) / state.height];
}

function idAt(x, y) {
  const [column, row] = toMap(x, y).map(Math.floor);
  const inside = column >= 0 && row >= 0 && column < state.width && row < state.height;
  return inside ? state.ids[row * state.width + column] : 0;
}

// Zoom so that what is at a point of the frame stays there.
function zoomAt(x, y, zoom) {
  const held = toMap(x, y);
  state.zoom = Math.min(MOST_ZOOM, Math.max(1, zoom));
  const {scale} = placed();
  moveTo(held[0] - (x - frame.clientWidth / 2) / scale, held[1] - (y - frame.clientHeight / 2) / scale);
}

function zoomBy(factor) {
  zoomAt(frame.clientWidth / 2, frame.clientHeight / 2, state.zoom * factor);
}

function panBy(x, y) {
  const {scale} = placed();
  moveTo(state.centre[0] - x / scale, state.centre[1] - y / scale);
}

// Make a point of the map the middle, as far as the photo's edges allow.
function moveTo(x, y) {
  const {scale} = placed();
  const within = (at, size, room) => {
    const half = Math.min(size / 2, room / 2 / scale);
    return Math.min(size - half, Math.max(half, at));
  };
  state.centre = [within(x, state.width, frame.clientWidth), within(y, state.height, frame.clientHeight)];
  frame.classList.toggle('zoomed', state.zoom > 1);
  redraw();
}

function resetZoom() {
  state.zoom = 1;
  moveTo(state.width / 2, state.height / 2);
}
