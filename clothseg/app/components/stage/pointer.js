// Mouse, pen and fingers on the frame.

const STILL = 5; // pixels of the frame by which a press may move and still count as a click
const LONG = 500; // milliseconds of a long press, which opens the menu
const TAP_SHOWN = 3500; // milliseconds for which a tapped part's name is shown

const pointers = new Map(); // pressed pointers: id -> {x, y, startX, startY, moved, role}
let pinch = 0;
let resting = 0;
let byTouch = false; // whether the last press was by touch
let tipShown = 0;

function inFrame(event) {
  const box = frame.getBoundingClientRect();
  return [event.clientX - box.left - frame.clientLeft, event.clientY - box.top - frame.clientTop];
}

function apart() {
  const [first, second] = [...pointers.values()];
  return Math.hypot(first.x - second.x, first.y - second.y);
}

list.addEventListener('pointerdown', (event) => {
  if (!state.value || event.button > 1) return;
  byTouch = event.pointerType === 'touch';
  const [x, y] = inFrame(event);
  list.draggable = !byTouch && draggable(x, y);
  const role = event.button === 1 ? 'pan' : drawing() ? 'stroke' : 'press';
  if (event.button === 1) event.preventDefault(); // turn off scrolling by the middle button
  pointers.set(event.pointerId, {x, y, startX: x, startY: y, moved: pointers.size > 0, role});
  if (pointers.size === 2) {
    clearTimeout(resting);
    endStroke(false);
    for (const pointer of pointers.values()) Object.assign(pointer, {moved: true, role: 'pan'});
    pinch = apart();
  } else if (role === 'stroke') {
    beginStroke(x, y);
  } else if (byTouch) {
    clearTimeout(resting);
    resting = setTimeout(() => rest(event.pointerId), LONG);
  }
  if (!list.draggable) capture(list, event.pointerId);
});

function capture(place, pointer) {
  try {
    place.setPointerCapture(pointer);
  } catch {
    // the pointer is up already
  }
}

function rest(id) {
  const pointer = pointers.get(id);
  if (!pointer || pointer.moved) return;
  pointer.moved = true;
  underFinger = true;
  openMenu(idAt(pointer.x, pointer.y), pointer.x, pointer.y);
}

list.addEventListener('pointermove', (event) => {
  if (!state.value) return;
  const [x, y] = inFrame(event);
  const pointer = pointers.get(event.pointerId);
  if (drawing() && event.pointerType !== 'touch') {
    state.cursor = [x, y];
    redraw();
  }
  if (!pointer) {
    if (event.pointerType !== 'touch' && menu.hidden) showTip(idAt(x, y), x, y);
    return;
  }
  const [dx, dy] = [x - pointer.x, y - pointer.y];
  [pointer.x, pointer.y] = [x, y];
  if (Math.hypot(x - pointer.startX, y - pointer.startY) > STILL && !pointer.moved) {
    pointer.moved = true;
    clearTimeout(resting);
  }
  if (pointers.size === 2) {
    const before = pinch;
    pinch = apart();
    const [first, second] = [...pointers.values()];
    panBy(dx / 2, dy / 2);
    if (before) zoomAt((first.x + second.x) / 2, (first.y + second.y) / 2, (state.zoom * pinch) / before);
  } else if (state.stroke) {
    hideTip();
    for (const passed of event.getCoalescedEvents?.() ?? []) addToStroke(...inFrame(passed));
    addToStroke(x, y);
  } else if (pointer.moved && state.zoom > 1) {
    frame.classList.add('dragging');
    hideTip();
    panBy(dx, dy);
  }
});

function lift(event) {
  const pointer = pointers.get(event.pointerId);
  pointers.delete(event.pointerId);
  clearTimeout(resting);
  frame.classList.remove('dragging');
  return pointer;
}

list.addEventListener('pointerup', (event) => {
  const pointer = lift(event);
  if (!pointer || !state.value) return;
  if (state.stroke) endStroke(true);
  else if (!pointer.moved && pointer.role === 'press') press(pointer.x, pointer.y);
});
list.addEventListener('pointercancel', (event) => {
  lift(event);
  endStroke(false);
});
list.addEventListener('pointerleave', (event) => {
  if (event.pointerType === 'touch' || pointers.size) return;
  state.cursor = null;
  if (menu.hidden) hideTip();
  redraw();
});

function press(x, y) {
  const id = idAt(x, y);
  if (state.correct) return clickEdit(x, y, state.label);
  if (!id) return hideTip();
  toggle(part(id).key);
  if (byTouch) tapped(id, x, y);
}

// A finger does not hover: show the tapped part's name for a while, with a button for the mouse's double click.
function tapped(id, x, y) {
  showTip(id, x, y - 60, true);
  clearTimeout(tipShown);
  tipShown = setTimeout(hideTip, TAP_SHOWN);
}

// The two clicks of the double click have cancelled each other.
list.addEventListener('dblclick', (event) => {
  const id = idAt(...inFrame(event));
  if (id && !byTouch && !state.correct) only(part(id).key);
});

list.addEventListener('contextmenu', (event) => {
  event.preventDefault(); // "Save picture as" would save the canvas, not the file
  if (!state.value || byTouch || event.button < 2) return; // long presses open it in rest(), keys in keys.js
  const at = inFrame(event);
  openMenu(idAt(...at), ...at);
});

frame.addEventListener(
  'wheel',
  (event) => {
    if (!state.value || menu.contains(event.target)) return;
    // Without zoom, the wheel scrolls the page down; otherwise the page could not be scrolled past the photo.
    if (state.zoom === 1 && event.deltaY > 0) return;
    event.preventDefault();
    hideTip();
    const unit = event.deltaMode === 1 ? 16 : 1;
    zoomAt(...inFrame(event), state.zoom * Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0016)));
  },
  {passive: false},
);

function showTip(id, x, y, withButton = false) {
  clearTimeout(tipShown);
  hoverOver(id);
  const found = part(id);
  tip.hidden = !found;
  if (!found) return;
  tip.querySelector('i').style.background = found.color;
  tip.querySelector('span').textContent = found.label;
  const button = tip.querySelector('button');
  button.hidden = !withButton;
  button.dataset.key = found.key;
  const left = Math.max(6, Math.min(frame.clientWidth - tip.offsetWidth - 6, x + 14));
  const top = y + 22 + tip.offsetHeight > frame.clientHeight ? y - 12 - tip.offsetHeight : y + 18;
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(6, top))}px)`;
}

function hideTip() {
  clearTimeout(tipShown);
  tip.hidden = true;
  hoverOver(0);
}

divider.addEventListener('pointerdown', (event) => capture(divider, event.pointerId));
divider.addEventListener('pointermove', (event) => {
  if (divider.hasPointerCapture(event.pointerId)) setSplit(inFrame(event)[0] / frame.clientWidth);
});

// Dragging the cut-out out of the browser gives its file, not the canvas.
// Drags that start outside the cut-out are ignored.
function draggable(x, y) {
  const file = state.value.download;
  const current = file && same(file.picked) && !state.pending;
  return Boolean(state.view === 'cutout' && !state.correct && state.zoom === 1 && current && isPicked(idAt(x, y)));
}
list.addEventListener('dragstart', (event) => {
  pointers.clear();
  hideTip();
  const {url, name, type} = state.value.download ?? {};
  if (!url) return event.preventDefault();
  const {href} = new URL(url, location.href);
  event.dataTransfer.setData('DownloadURL', `${type}:${name.replaceAll(':', '_')}:${href}`);
  event.dataTransfer.setData('text/uri-list', href);
  event.dataTransfer.setData('application/x-clothseg', name); // so that the page does not treat it as a new photo
  event.dataTransfer.effectAllowed = 'copy';
  event.dataTransfer.setDragImage(canvas, ...inFrame(event));
});
