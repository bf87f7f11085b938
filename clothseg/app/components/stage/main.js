// Begin: texts, buttons, and what the server gives.

for (const place of element.querySelectorAll('[data-text]')) place.textContent = texts[place.dataset.text];
for (const place of element.querySelectorAll('[data-label]')) place.setAttribute('aria-label', texts[place.dataset.label]);
for (const place of element.querySelectorAll('[data-title], button[data-label]')) {
  place.title = texts[place.dataset.title || place.dataset.label];
}

const ACTIONS = {
  'zoom-in': () => zoomBy(1.5),
  'zoom-out': () => zoomBy(1 / 1.5),
  'zoom-reset': resetZoom,
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (button) ACTIONS[button.dataset.do]();
});
element.addEventListener('change', (event) => {
  if (event.target.name === 'stage-view') setView(event.target.value);
});
one('.opacity input').addEventListener('input', (event) => {
  state.opacity = Number(event.target.value);
  redraw();
});

function asked(event) {
  if (!element.isConnected) return document.removeEventListener('stage:do', asked);
  if (!state.value) return;
  const {pick, toggle: key, only: alone, hover, view} = event.detail;
  if (pick) setPicked(pick);
  if (key) toggle(key);
  if (alone) only(alone);
  if (hover !== undefined) hoverOver(hover ? idOf(hover) : 0);
  if (view) setView(view);
}
document.addEventListener('stage:do', asked);
new ResizeObserver(redraw).observe(frame);

let turn = 0;
async function take() {
  const given = props.value ? JSON.parse(JSON.stringify(props.value)) : null;
  const mine = ++turn;
  if (!given || !given.map) {
    state.value = null;
    root.hidden = true;
    announce();
    return;
  }
  const before = state.value;
  const fresh = !before || before.number !== given.number;
  const other = !before || before.base !== given.base;
  if (fresh) {
    const {width, height, data} = given.map;
    const samePhoto = before && before.photo.url === given.photo.url;
    const [photo, ids] = await Promise.all([samePhoto ? state.photo : load(given.photo.url), unpack(data, width * height)]);
    if (mine !== turn) return; // another one has come meanwhile
    const keys = other ? given.picked : [...state.picked];
    Object.assign(state, {value: given, photo, ids, width, height, hover: 0, active: 0});
    forget();
    root.hidden = false;
    listParts();
    if (other) resetZoom();
    setView(given.view || state.view);
    setPicked(keys, true);
  } else {
    state.value = {...before, cutout: given.cutout, background: given.background, download: given.download};
    redraw();
    announce();
  }
  refine();
}

// Fetch the server's cut-out, and show it once it is there.
async function refine() {
  const wanted = state.value.cutout;
  if (!wanted || (state.refined && state.refined.url === wanted.url)) return;
  const image = await load(wanted.url).catch(() => null);
  if (!image || !state.value || !state.value.cutout || state.value.cutout.url !== wanted.url) return;
  state.refined = {url: wanted.url, image};
  redraw();
}

watch('value', take);
take();
