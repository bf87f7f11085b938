// Mouse, pen and fingers on the frame.

const STILL = 5; // pixels of the frame that a press may move and yet be a click

const pointers = new Map(); // those that are down: id -> {x, y, startX, startY, moved}
let pinch = 0;

function inFrame(event) {
  const box = frame.getBoundingClientRect();
  return [event.clientX - box.left - frame.clientLeft, event.clientY - box.top - frame.clientTop];
}

function apart() {
  const [first, second] = [...pointers.values()];
  return Math.hypot(first.x - second.x, first.y - second.y);
}

list.addEventListener('pointerdown', (event) => {
  if (!state.value || event.button > 0) return;
  const [x, y] = inFrame(event);
  pointers.set(event.pointerId, {x, y, startX: x, startY: y, moved: pointers.size > 0});
  if (pointers.size === 2) {
    for (const pointer of pointers.values()) pointer.moved = true;
    pinch = apart();
  }
  try { list.setPointerCapture(event.pointerId); } catch (error) { /* the pointer has gone already */ }
});

list.addEventListener('pointermove', (event) => {
  if (!state.value) return;
  const [x, y] = inFrame(event);
  const pointer = pointers.get(event.pointerId);
  if (!pointer) {
    if (event.pointerType !== 'touch') showTip(idAt(x, y), x, y);
    return;
  }
  const [dx, dy] = [x - pointer.x, y - pointer.y];
  [pointer.x, pointer.y] = [x, y];
  if (Math.hypot(x - pointer.startX, y - pointer.startY) > STILL) pointer.moved = true;
  if (pointers.size === 2) {
    const before = pinch;
    pinch = apart();
    const [first, second] = [...pointers.values()];
    panBy(dx / 2, dy / 2);
    if (before) zoomAt((first.x + second.x) / 2, (first.y + second.y) / 2, (state.zoom * pinch) / before);
  } else if (pointer.moved && state.zoom > 1) {
    frame.classList.add('dragging');
    hideTip();
    panBy(dx, dy);
  }
});

function lift(event) {
  const pointer = pointers.get(event.pointerId);
  pointers.delete(event.pointerId);
  frame.classList.remove('dragging');
  return pointer;
}

list.addEventListener('pointerup', (event) => {
  const pointer = lift(event);
  if (!pointer || pointer.moved || !state.value) return;
  const id = idAt(pointer.x, pointer.y);
  if (id) press(id, pointer.x, pointer.y, event);
});
list.addEventListener('pointercancel', lift);
list.addEventListener('pointerleave', (event) => {
  if (event.pointerType !== 'touch' && !pointers.size) hideTip();
});

function press(id, x, y, event) {
  const found = part(id);
  if (event.pointerType === 'touch') {
    toggle(found.key);
    return;
  }
  toggle(found.key);
}

// The two clicks before it have picked and unpicked.
list.addEventListener('dblclick', (event) => {
  const id = idAt(...inFrame(event));
  if (id) only(part(id).key);
});

frame.addEventListener(
  'wheel',
  (event) => {
    if (!state.value) return;
    // A page that cannot be scrolled past its stage is a trap: an unzoomed photo lets the wheel through downwards.
    if (state.zoom === 1 && event.deltaY > 0) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    zoomAt(...inFrame(event), state.zoom * Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0016)));
  },
  {passive: false},
);

function showTip(id, x, y) {
  hoverOver(id);
  const found = part(id);
  tip.hidden = !found;
  if (!found) return;
  const swatch = document.createElement('i');
  swatch.style.background = found.color;
  tip.replaceChildren(swatch, found.label);
  const left = Math.min(frame.clientWidth - tip.offsetWidth - 6, x + 14);
  const top = y + 22 + tip.offsetHeight > frame.clientHeight ? y - 12 - tip.offsetHeight : y + 18;
  tip.style.transform = `translate(${Math.max(6, left)}px, ${Math.max(6, top)}px)`;
}

function hideTip() {
  tip.hidden = true;
  hoverOver(0);
}

divider.addEventListener('pointerdown', (event) => {
  divider.setPointerCapture(event.pointerId);
});
divider.addEventListener('pointermove', (event) => {
  if (divider.hasPointerCapture(event.pointerId)) setSplit(inFrame(event)[0] / frame.clientWidth);
});
