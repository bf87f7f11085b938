// Start: texts, buttons, and values from the server.

for (const place of element.querySelectorAll('[data-text]')) place.textContent = texts[place.dataset.text];
for (const place of element.querySelectorAll('[data-label]')) place.setAttribute('aria-label', texts[place.dataset.label]);
for (const place of element.querySelectorAll('[data-title], button[data-label]')) {
  place.title = texts[place.dataset.title || place.dataset.label];
}

const ACTIONS = {
  'zoom-in': () => zoomBy(1.5),
  'zoom-out': () => zoomBy(1 / 1.5),
  'zoom-reset': resetZoom,
  correct: () => setCorrect(!state.correct),
  undo,
  redo,
  reset: resetEdits,
  help: openSheet,
  only: (button) => {
    only(button.dataset.key);
    hideTip();
  },
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (button) ACTIONS[button.dataset.do](button);
});
element.addEventListener('change', (event) => {
  const {name, value} = event.target;
  if (name === 'stage-view') setView(value);
  if (name === 'stage-tool') setTool(value);
  if (event.target.matches('.class select')) setLabel(value);
});
one('.opacity input').addEventListener('input', (event) => setOpacity(Number(event.target.value)));
one('.size input').addEventListener('input', (event) => setSize(Number(event.target.value)));

document.addEventListener('stage:do', asked);
function asked(event) {
  if (!element.isConnected) return document.removeEventListener('stage:do', asked);
  if (!state.value) return;
  const {pick, toggle: key, only: alone, hover, view, opacity, correct} = event.detail;
  if (pick) setPicked(pick);
  if (key && idOf(key)) toggle(key);
  if (alone && idOf(alone)) only(alone);
  if (hover !== undefined) hoverOver(hover ? idOf(hover) : 0);
  if (view) setView(view);
  if (typeof opacity === 'number') setOpacity(opacity);
  if (correct !== undefined) setCorrect(Boolean(correct));
}

new ResizeObserver(() => moveTo(...state.centre)).observe(frame);
new MutationObserver(redraw).observe(document.body, {attributeFilter: ['class']}); // dark or light

let turn = 0;
async function take() {
  const given = props.value ? JSON.parse(JSON.stringify(props.value)) : null;
  if (!given?.map) return clear();
  const mine = ++turn;
  const before = state.value;
  if (before?.number === given.number) return;
  coming = given;
  announce();
  hear();
  if (!(await show(given, before, () => mine === turn))) return; // a newer value has arrived meanwhile
  coming = null;
  refine();
}

// Later updates from the server for a result: its cut-out, the background behind it, its file.
function hear() {
  if (!props.news) return;
  const {lost, ...news} = JSON.parse(JSON.stringify(props.news));
  if (lost && state.value?.number === news.number) document.dispatchEvent(new CustomEvent('stage:lost'));
  for (const value of [coming, state.value]) {
    if (value && value.number === news.number) Object.assign(value, news);
  }
  if (state.value?.number === news.number) refine();
}

function clear() {
  turn += 1;
  coming = null;
  setCorrect(false);
  closeMenu(false);
  answered();
  state.value = null;
  root.hidden = true;
  announce();
}

// Show another result on the stage; false if a newer one has arrived meanwhile.
async function show(given, before, current) {
  const {width, height, data} = given.map;
  const other = !before || before.base !== given.base;
  const kept = before && before.photo.url === given.photo.url;
  const [photo, ids] = await Promise.all([kept ? state.photo : load(given.photo.url), unpack(data, width * height)]);
  if (!current()) return false;
  const keys = other ? given.picked : carried(before, given);
  Object.assign(state, {value: given, photo, ids, width, height, active: 0});
  forget();
  closeMenu(false);
  hideTip();
  root.hidden = false;
  listParts();
  listClasses();
  one('.correct').hidden = !given.editable;
  if (other) {
    Object.assign(state, {edits: given.edits, done: given.edits.length});
    setCorrect(false);
    answered();
    state.arrived = performance.now();
    resetZoom();
  } else {
    takeEdits(given);
  }
  root.dataset.turn = given.turn ?? '';
  showHistory();
  setView(given.view || state.view);
  if (typeof given.opacity === 'number') setOpacity(given.opacity);
  setPicked(keys, true);
  if (!other && String(pickedKeys()) !== String(given.picked)) reportPicked();
  return true;
}

// The picks in a corrected result: picked parts that still exist, and new parts that the server picked.
function carried(before, given) {
  const had = new Set(before.parts.map((found) => found.key));
  const fresh = given.picked.filter((key) => !had.has(key));
  return [...state.picked, ...fresh];
}

// Fetch the server's cut-out, and show it when it arrives.
async function refine() {
  redraw();
  announce();
  const wanted = state.value.cutout;
  const url = wanted?.picture.url;
  if (!wanted || state.refined?.url === url) return;
  const image = await load(url).catch(() => null);
  if (!image || state.value?.cutout?.picture.url !== url) return;
  state.refined = {url, image};
  redraw();
}

watch('value', take);
watch('news', hear);
take();
