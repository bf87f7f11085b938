// The stage's parts on the page, what it knows, and how it speaks to the rest of the page.
// These files are one script: gradio runs them, joined, with `element`, `props`, `trigger` and `watch`.

const one = (selector) => element.querySelector(selector);
const root = one('.stage');
const frame = one('.frame');
const canvas = one('.frame canvas');
const list = one('.list');
const tip = one('.tip');
const divider = one('.divider');
const texts = JSON.parse(JSON.stringify(props.texts));

const state = {
  value: null, // as the server gave it
  photo: null, // HTMLImageElement, decoded
  ids: new Uint16Array(0), // of the map: 1 + place in value.parts
  width: 0, // of the map
  height: 0,
  picked: new Set(), // keys
  hover: 0, // id under the pointer, or named by another script
  active: 0, // id that the keyboard is at
  view: 'cutout',
  opacity: 0.6,
  zoom: 1,
  centre: [0, 0], // of what is shown, in the map's pixels
  split: 0.5, // where the divider stands, as a share of the frame's width
  arrived: -Infinity, // when the photo came, in milliseconds as performance.now() has them
  refined: null, // the server's cut-out, {url, image}
  correct: false, // whether corrections are being made
  tool: 'click', // or brush, erase
  label: '', // the class that click and brush give
  size: 14, // the brush's radius in pixels of the frame
  stroke: null, // being drawn: as a correction, below
  cursor: null, // [x, y] in the frame, of the brush
  edits: [], // corrections, those undone at the end
  done: 0, // how many of them hold
  turn: 0, // number of the last change of them, which its event `edit` tells
  pending: false, // whether its answer is still to come
};

let coming = null; // the value that is being put on the stage

const VIEWS = ['cutout', 'regions', 'compare'];

function say(text) {
  one('.status').textContent = text;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

function part(id) {
  return id > 0 && state.value ? state.value.parts[id - 1] : null;
}

function idOf(key) {
  return state.value ? state.value.parts.findIndex((other) => other.key === key) + 1 : 0;
}

function isPicked(id) {
  const found = part(id);
  return found !== null && state.picked.has(found.key);
}

// Keys in the order of the parts, so that equal picks are equal lists.
function pickedKeys() {
  return state.value ? state.value.parts.map((found) => found.key).filter((key) => state.picked.has(key)) : [];
}

// Tell the page's other scripts.
function announce() {
  const hover = part(state.hover);
  const detail = {
    number: state.value ? state.value.number : null,
    coming: Boolean(coming),
    picked: pickedKeys(),
    hover: hover ? hover.key : null,
    view: state.view,
    opacity: state.opacity,
    correct: state.correct,
    edits: liveEdits(),
  };
  document.dispatchEvent(new CustomEvent('stage:state', {detail}));
}

// Tell the server, once quick changes are over, and not of a photo that is gone.
const waiting = {};
function report(kind, pause, data) {
  clearTimeout(waiting[kind]);
  const {base} = state.value;
  waiting[kind] = setTimeout(() => {
    if (state.value && state.value.base === base) data();
  }, pause);
}

function reportPicked() {
  report('picks', 200, () => trigger('picked', {number: state.value.number, picked: pickedKeys()}));
}

function reportEdits() {
  report('edits', 120, () => {
    const {number, base} = state.value;
    trigger('edit', {number, base, turn: state.turn, edits: liveEdits()});
  });
}

function swatch(color) {
  const made = document.createElement('i');
  made.style.background = color;
  return made;
}
