// The keyboard, and the sheet that lists its shortcuts.

const PAN = 60; // pixels of the frame by which Shift and an arrow key move the photo
const sheet = one('.sheet');

function step(by) {
  const count = state.value.parts.length;
  if (!count) return;
  const from = state.active || (by > 0 ? 0 : 1);
  goTo(((from - 1 + by + count) % count) + 1);
}

function keyboardMenu() {
  if (!state.active) return;
  const {point} = part(state.active);
  const at = toFrame((point[0] * state.width) / state.value.width, (point[1] * state.height) / state.value.height);
  openMenu(state.active, ...at);
}

// Keys on the list of parts.
const LIST_KEYS = {
  ArrowRight: () => step(1),
  ArrowDown: () => step(1),
  ArrowLeft: () => step(-1),
  ArrowUp: () => step(-1),
  Home: () => state.value.parts.length && goTo(1),
  End: () => state.value.parts.length && goTo(state.value.parts.length),
  Enter: () => part(state.active) && toggle(part(state.active).key),
  ' ': () => part(state.active) && toggle(part(state.active).key),
  o: () => part(state.active) && only(part(state.active).key),
  m: keyboardMenu,
  ContextMenu: keyboardMenu,
  Escape: () => {
    goTo(0);
    hideTip();
  },
};
const PAN_KEYS = {
  ArrowRight: () => panBy(-PAN, 0),
  ArrowLeft: () => panBy(PAN, 0),
  ArrowDown: () => panBy(0, -PAN),
  ArrowUp: () => panBy(0, PAN),
  F10: keyboardMenu,
};

// Keys anywhere on the stage.
const STAGE_KEYS = {
  1: () => setView('cutout'),
  2: () => setView('regions'),
  3: () => setView('compare'),
  '+': () => zoomBy(1.5),
  '=': () => zoomBy(1.5),
  '-': () => zoomBy(1 / 1.5),
  0: resetZoom,
  c: () => setCorrect(!state.correct),
  '[': () => setSize(state.size / 1.25),
  ']': () => setSize(state.size * 1.25),
};

list.addEventListener('keydown', (event) => {
  if (!state.value || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = event.shiftKey && (event.key in PAN_KEYS) ? PAN_KEYS : LIST_KEYS;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!(key in keys)) return;
  event.preventDefault();
  keys[key]();
});
list.addEventListener('focus', () => {
  if (list.matches(':focus-visible') && state.active) goTo(state.active);
});
list.addEventListener('blur', () => {
  if (!byTouch && menu.hidden) hideTip();
});

root.addEventListener('keydown', (event) => {
  if (!state.value || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || sheet.open) return;
  if (event.target.matches('select, input[type=range]')) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!(key in STAGE_KEYS)) return;
  event.preventDefault();
  STAGE_KEYS[key]();
});

divider.addEventListener('keydown', (event) => {
  const steps = {ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1};
  if (event.key in steps) setSplit(state.split + steps[event.key]);
  else if (event.key === 'Home') setSplit(0);
  else if (event.key === 'End') setSplit(1);
  else return;
  event.preventDefault();
});

// Undo, redo and the sheet also work while the focus is elsewhere on the page, except in text fields.
document.addEventListener('keydown', anywhere);
function anywhere(event) {
  if (!element.isConnected) return document.removeEventListener('keydown', anywhere);
  if (!state.value || !root.offsetParent || sheet.open) return;
  if (event.target.closest?.('input:not([type=radio], [type=checkbox], [type=range]), textarea, [contenteditable]')) return;
  const command = (event.ctrlKey || event.metaKey) && !event.altKey;
  const key = event.key.toLowerCase();
  if (command && key === 'z' && state.edits.length) (event.shiftKey ? redo : undo)();
  else if (command && key === 'y' && state.edits.length) redo();
  else if (!command && event.key === '?') openSheet();
  else return;
  event.preventDefault();
}

function openSheet() {
  closeMenu(false);
  const rows = texts.shortcuts.filter(([, , edits]) => !edits || state.value.editable);
  one('.sheet dl').replaceChildren(
    ...rows.flatMap(([keys, what]) => {
      const [term, meaning] = [document.createElement('dt'), document.createElement('dd')];
      term.append(...keys.flatMap((key, at) => (at ? [' ', keycap(key)] : [keycap(key)])));
      meaning.textContent = what;
      return [term, meaning];
    }),
  );
  sheet.showModal();
}

function keycap(text) {
  const made = document.createElement('kbd');
  made.textContent = text;
  return made;
}

sheet.addEventListener('click', (event) => {
  if (event.target === sheet) sheet.close(); // the backdrop
});
