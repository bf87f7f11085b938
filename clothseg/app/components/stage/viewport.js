// Position of the photo in the frame: zoom, pan, and conversion between the frame's pixels and the map's.

const MOST_ZOOM = 16;

// The frame's [width, height] for the photo: on a phone, the slider at the bottom would otherwise hide people's feet.
const NARROW = 600;
const SLIDER = 56;
function room() {
  const slider = frame.clientWidth < NARROW && (state.view === 'regions' || drawing());
  return [frame.clientWidth, frame.clientHeight - (slider ? SLIDER : 0)];
}

// {scale, left, top}: the frame's pixels per pixel of the map, and the position of the map's corner in the frame.
function placed() {
  const [across, down] = room();
  if (!state.width || !across || !down) return {scale: 1, left: 0, top: 0};
  const scale = Math.min(across / state.width, down / state.height) * state.zoom;
  const along = (centre, size, space) =>
    size * scale <= space
      ? (space - size * scale) / 2
      : Math.min(0, Math.max(space - size * scale, space / 2 - centre * scale));
  return {
    scale,
    left: along(state.centre[0], state.width, across),
    top: along(state.centre[1], state.height, down),
  };
}

// A point of the frame in the map's pixels, with fractions.
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

// Zoom around a fixed point of the frame.
function zoomAt(x, y, zoom) {
  const held = toMap(x, y);
  state.zoom = Math.min(MOST_ZOOM, Math.max(1, zoom));
  const {scale} = placed();
  const [across, down] = room();
  moveTo(held[0] - (x - across / 2) / scale, held[1] - (y - down / 2) / scale);
}

function zoomBy(factor) {
  const [across, down] = room();
  zoomAt(across / 2, down / 2, state.zoom * factor);
}

function panBy(x, y) {
  const {scale} = placed();
  moveTo(state.centre[0] - x / scale, state.centre[1] - y / scale);
}

// Centre a point of the map, as far as the photo's edges allow.
function moveTo(x, y) {
  const {scale} = placed();
  const [across, down] = room();
  const within = (at, size, space) => {
    const half = Math.min(size / 2, space / 2 / scale);
    return Math.min(size - half, Math.max(half, at));
  };
  state.centre = [within(x, state.width, across), within(y, state.height, down)];
  frame.classList.toggle('zoomed', state.zoom > 1);
  redraw();
}

function resetZoom() {
  state.zoom = 1;
  moveTo(state.width / 2, state.height / 2);
}
