// Picking by pointer, by keys, or from other scripts of the page.

function setPicked(keys, quietly = false) {
  const known = new Set(state.value.parts.map((found) => found.key));
  state.picked = new Set(keys.filter((key) => known.has(key)));
  forget('cutout', 'regions');
  for (const option of list.children) option.setAttribute('aria-selected', state.picked.has(option.dataset.key));
  hint();
  redraw();
  announce();
  if (!quietly) reportPicked();
}

function toggle(key) {
  const keys = new Set(state.picked);
  if (!keys.delete(key)) keys.add(key);
  setPicked([...keys]);
  say(fill(texts[keys.has(key) ? 'said_picked' : 'said_unpicked'], {label: part(idOf(key)).label}));
}

function only(key) {
  setPicked([key]);
  say(fill(texts.said_only, {label: part(idOf(key)).label}));
}

// A hint for the next step where it is not obvious.
function hint() {
  let text = '';
  one('.advice').textContent = state.edits.length ? '' : texts[`hint_${state.tool}`];
  if (state.correct) text = '';
  else if (state.value && !state.value.parts.length) text = texts.no_parts;
  else if (state.view !== 'regions' && !state.picked.size) text = texts.nothing_picked;
  one('.hint').textContent = text;
  one('.hint').hidden = !text;
}

// Scroll to the part that is active for the keyboard.
function goTo(id) {
  state.active = id;
  const option = list.children[id - 1];
  if (!option) return list.removeAttribute('aria-activedescendant');
  list.setAttribute('aria-activedescendant', option.id);
  const {point} = part(id);
  const at = toFrame((point[0] * state.width) / state.value.width, (point[1] * state.height) / state.value.height);
  const inside = at[0] > 0 && at[1] > 0 && at[0] < frame.clientWidth && at[1] < frame.clientHeight;
  if (!inside) moveTo((point[0] * state.width) / state.value.width, (point[1] * state.height) / state.value.height);
  showTip(id, ...(inside ? at : [frame.clientWidth / 2, frame.clientHeight / 2]));
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
  hint();
  setSplit(state.split);
  moveTo(...state.centre); // the frame's size may have changed
  announce();
}

function setOpacity(opacity) {
  state.opacity = Math.min(1, Math.max(0, opacity));
  one('.opacity input').value = state.opacity;
  redraw();
  announce();
}

function setSplit(share) {
  state.split = Math.min(1, Math.max(0, share));
  divider.style.left = `${100 * state.split}%`;
  divider.setAttribute('aria-valuenow', Math.round(100 * state.split));
  redraw();
}

// The canvas for screen readers: a list of the parts.
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
  if (list.children.length) list.setAttribute('aria-multiselectable', 'true');
  else list.removeAttribute('aria-multiselectable');
  list.setAttribute('role', list.children.length ? 'listbox' : 'group'); // a list must have entries
  list.removeAttribute('aria-activedescendant');
}
