// Corrections: the tools, the list of edits, undo and redo. All current edits are sent each time, so that the server
// keeps no state: see stage.py.

function classOf(name) {
  return state.value.classes.find((other) => other.name === name);
}

function liveEdits() {
  return state.edits.slice(0, state.done);
}

function alike(one, other) {
  const written = (edit) => JSON.stringify(edit, Object.keys(edit).sort());
  return written(one) === written(other);
}

// Edits that the shown result does not include yet.
function unanswered() {
  const live = liveEdits();
  const known = state.value.edits;
  let same = 0;
  while (same < known.length && same < live.length && alike(known[same], live[same])) same += 1;
  return live.slice(same);
}

// Key -> colour of parts whose class is changed by an unanswered edit; 'none' for no class.
function relabelled() {
  const colors = new Map();
  for (const {kind, part: key, label} of unanswered()) {
    if (kind === 'relabel') colors.set(key, label === state.value.classes[0].name ? 'none' : classOf(label).color);
    if (kind === 'exclude') for (const found of state.value.parts) if (found.name === label) colors.set(found.key, 'none');
  }
  return colors;
}

function edit(operation) {
  state.edits = [...liveEdits(), operation];
  state.done = state.edits.length;
  edited();
}

function undo() {
  if (!state.done) return;
  state.done -= 1;
  edited(texts.said_undone);
}

function redo() {
  if (state.done === state.edits.length) return;
  state.done += 1;
  edited(texts.said_redone);
}

// Undo all edits; redo restores them.
function resetEdits() {
  if (!state.done) return;
  state.done = 0;
  edited(texts.said_undone);
}

const PATIENCE = 20000; // milliseconds after which no answer is expected any more
let late = 0;
function edited(said) {
  forget('regions');
  showHistory();
  hint();
  redraw();
  announce();
  if (said) say(said);
  state.pending = true;
  state.turn += 1;
  reportEdits();
  clearTimeout(late);
  late = setTimeout(() => {
    one('.busy').hidden = false;
    late = setTimeout(answered, PATIENCE);
  }, 400);
}

// The server has answered, or there is another photo.
function answered() {
  clearTimeout(late);
  state.pending = false;
  one('.busy').hidden = true;
}

function showHistory() {
  one('.history').hidden = !state.edits.length && !state.correct;
  one('[data-do=undo]').disabled = !state.done;
  one('[data-do=redo]').disabled = state.done === state.edits.length;
  one('.reset').hidden = !state.done;
}

let viewBefore = 'cutout';
function setCorrect(on) {
  if (on === state.correct || (on && !(state.value && state.value.editable))) return;
  state.correct = on;
  one('.tools').hidden = !on;
  one('.correct').setAttribute('aria-pressed', on);
  if (on) {
    viewBefore = state.view;
    if (state.view === 'cutout') setView('regions');
  } else if (viewBefore === 'cutout' && state.view === 'regions') {
    setView('cutout');
  }
  setTool(state.tool);
  showHistory();
  announce();
}

function setTool(tool) {
  state.tool = tool;
  for (const radio of element.querySelectorAll('.tools input[type=radio]')) radio.checked = radio.value === tool;
  one('.class').hidden = tool === 'erase';
  one('.size').hidden = !state.correct || tool === 'click';
  frame.classList.toggle('aiming', state.correct && tool === 'click');
  frame.classList.toggle('drawing', state.correct && tool !== 'click');
  state.cursor = null;
  hint();
  moveTo(...state.centre);
}

function setLabel(name) {
  state.label = name;
  one('.class select').value = name;
  one('.class i').style.background = classOf(name).color;
}

function setSize(size) {
  state.size = Math.min(60, Math.max(3, size));
  one('.size input').value = state.size;
  redraw();
}

function listClasses() {
  one('.class select').replaceChildren(
    ...state.value.classes.map(({name, label}) => new Option(label, name)),
  );
  const known = state.value.classes.some(({name}) => name === state.label);
  const usual = classOf('Upper-clothes') || state.value.classes[1];
  setLabel(known ? state.label : usual.name);
}

const round = (number) => Math.round(10 * number) / 10;

// A point of the frame in the photo's pixels, clipped to the photo and rounded to a tenth.
function photoPoint(x, y) {
  const [across, down] = toPhoto(...toMap(x, y));
  const within = (at, size) => round(Math.min(size - 0.1, Math.max(0, at)));
  return [within(across, state.value.width), within(down, state.value.height)];
}

function onPhoto(x, y) {
  const [across, down] = toMap(x, y);
  return across >= 0 && down >= 0 && across < state.width && down < state.height;
}

function drawing() {
  return state.correct && state.tool !== 'click';
}

function clickEdit(x, y, label) {
  if (!onPhoto(x, y)) return;
  const [across, down] = photoPoint(x, y);
  edit({kind: 'click', x: across, y: down, label});
  say(fill(texts.said_corrected, {label: classOf(label).label}));
}

const MOST_RADIUS = 2000; // the server's limit
function beginStroke(x, y) {
  const radius = round(((state.size / placed().scale) * state.value.width) / state.width);
  const label = state.tool === 'erase' ? state.value.classes[0].name : state.label;
  state.stroke = {kind: 'stroke', points: [photoPoint(x, y)], radius: Math.min(MOST_RADIUS, Math.max(0.5, radius)), label};
  redraw();
}

const MOST_POINTS = 2000;
function addToStroke(x, y) {
  const {points, radius} = state.stroke;
  const [across, down] = photoPoint(x, y);
  const [lastX, lastY] = points[points.length - 1];
  if (points.length < MOST_POINTS && Math.hypot(across - lastX, down - lastY) >= Math.max(1, radius / 4)) {
    points.push([across, down]);
    redraw();
  }
}

function endStroke(keep) {
  const {stroke} = state;
  state.stroke = null;
  if (stroke && keep) {
    edit(stroke);
    say(fill(texts.said_corrected, {label: classOf(stroke.label).label}));
  }
  redraw();
}

// Another result of the same photo: the server's edits apply, unless newer ones have been sent to it.
function takeEdits(given) {
  const live = liveEdits();
  const agreed = given.edits.length === live.length && given.edits.every((other, at) => alike(other, live[at]));
  if (!agreed && state.pending && given.turn !== state.turn) return;
  if (!agreed) {
    state.edits = given.edits;
    state.done = given.edits.length;
  }
  answered();
}
