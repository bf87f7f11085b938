// Picking: with the pointer, with the keys, or from other scripts of the page.

function setPicked(keys, quietly = false) {
  const known = new Set(state.value.parts.map((found) => found.key));
  state.picked = new Set(keys.filter((key) => known.has(key)));
  forget('cutout', 'regions');
  for (const option of list.children) option.setAttribute('aria-selected', state.picked.has(option.dataset.key));
  one('.empty').hidden = state.view === 'regions' || state.picked.size > 0 || !state.value.parts.length;
  redraw();
  announce();
  if (!quietly) report();
}

function toggle(key) {
  const keys = new Set(state.picked);
  if (!keys.delete(key)) keys.add(key);
  setPicked([...keys]);
}

function only(key) {
  setPicked([key]);
}

function hoverOver(id) {
  if (state.hover === id) return;
  state.hover = id;
  frame.classList.toggle('over', id > 0);
  redraw();
  announce();
}

function setView(view) {
  if (!VIEWS.includes(view)) return;
  state.view = view;
  root.dataset.view = view;
  for (const radio of element.querySelectorAll('.views input')) radio.checked = radio.value === view;
  one('.opacity').hidden = view !== 'regions';
  divider.hidden = view !== 'compare';
  one('.empty').hidden = view === 'regions' || state.picked.size > 0 || !state.value || !state.value.parts.length;
  setSplit(state.split);
  redraw();
  announce();
}

function setSplit(share) {
  state.split = Math.min(1, Math.max(0, share));
  divider.style.left = `${100 * state.split}%`;
  divider.setAttribute('aria-valuenow', Math.round(100 * state.split));
  redraw();
}

// What screen readers are told of the canvas: a list of the parts.
function listParts() {
  list.replaceChildren(
    ...state.value.parts.map((found, index) => {
      const option = document.createElement('div');
      option.id = `stage-part-${index + 1}`;
      option.dataset.key = found.key;
      option.textContent = found.label;
      option.setAttribute('role', 'option');
      option.setAttribute('aria-selected', 'false');
      return option;
    }),
  );
  list.hidden = !state.value.parts.length;
}
