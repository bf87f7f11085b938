// The stage's elements, its state, and its events for the rest of the page.
// These files form one script: Gradio runs them, joined, with `element`, `props`, `trigger` and `watch`.

const one = (selector) => element.querySelector(selector);
const root = one('.stage');
const frame = one('.frame');
const canvas = one('.frame canvas');
const list = one('.list');
const tip = one('.tip');
const divider = one('.divider');
const texts = JSON.parse(JSON.stringify(props.texts));

const state = {
  value: null, // as sent by the server
  photo: null, // HTMLImageElement, decoded
  ids: new Uint16Array(0), // of the map: 1 + index in value.parts
  width: 0, // of the map
  height: 0,
  picked: new Set(), // keys
  hover: 0, // id under the pointer, or named by another script
  active: 0, // id that is active for the keyboard
  view: 'cutout',
  opacity: 0.6,
  zoom: 1,
  centre: [0, 0], // of the shown section, in the map's pixels
  split: 0.5, // position of the divider, as a share of the frame's width
  arrived: -Infinity, // time of the photo's arrival, in milliseconds of performance.now()
  refined: null, // the server's cut-out, {url, image}
  correct: false, // whether correcting is turned on
  tool: 'click', // or brush, erase
  label: '', // the class that click and brush assign
  size: 14, // the brush's radius in pixels of the frame
  stroke: null, // the stroke being drawn, in the form of an edit
  cursor: null, // [x, y] of the brush in the frame
  edits: [], // edits, with the undone ones at the end
  done: 0, // number of edits that are not undone
  turn: 0, // number of their last change, which the event `edit` contains
  pending: false, // whether its answer has not arrived yet
};

let coming = null; // the value that is being loaded

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

// Notify the page's other scripts.
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

// Notify the server after a pause in the changes, unless the photo has been replaced.
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
