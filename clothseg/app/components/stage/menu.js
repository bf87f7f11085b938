// The menu of a part, or of a point outside all parts: right click, long press, or the menu key.

const menu = one('.menu');
let underFinger = false; // whether the finger that opened the menu is still down, perhaps on an item
let menuAt = null; // {id, x, y, first}: part, point of the frame, and the first page's items

function openMenu(id, x, y) {
  const found = part(id);
  if (!found && !((state.value.editable || state.picked.size) && onPhoto(x, y))) return;
  hideTip();
  if (found) hoverOver(id);
  menuAt = {id, x, y};
  const items = [];
  if (found) {
    items.push(menuItem(texts.only, () => only(found.key)));
    items.push(menuItem(state.picked.has(found.key) ? texts.unpick : texts.pick, () => toggle(found.key)));
  }
  if (state.picked.size) {
    items.push(menuItem(texts.save, () => document.dispatchEvent(new CustomEvent('stage:save'))));
  }
  if (state.value.editable) {
    if (items.length) items.push(document.createElement('hr'));
    items.push(menuItem(texts.this_is, showClasses, null, true));
    if (found) items.push(menuItem(fill(texts.not_in_photo, {label: classOf(found.name).label}), () => exclude(found)));
  }
  fillMenu(found ? found.label : texts.nothing_here, found ? found.color : null, items);
}

function exclude(found) {
  edit({kind: 'exclude', label: found.name});
  say(fill(texts.said_excluded, {label: classOf(found.name).label}));
}

function showClasses() {
  const {id, x, y} = menuAt;
  const found = part(id);
  const items = state.value.classes
    .filter(({name}) => !found || name !== found.name)
    .map(({name, label, color}) => menuItem(label, () => relabel(found, x, y, name), color));
  const title = found ? fill(texts.label_is, {label: found.label}) : texts.this_is;
  fillMenu(title, null, items, 'classes');
}

function relabel(found, x, y, label) {
  if (!found) return clickEdit(x, y, label);
  const [across, down] = photoPoint(x, y);
  edit({kind: 'relabel', part: found.key, x: across, y: down, label});
  say(fill(texts.said_corrected, {label: classOf(label).label}));
}

function menuItem(text, action, color = null, stays = false) {
  const made = document.createElement('button');
  made.type = 'button';
  made.tabIndex = -1;
  made.setAttribute('role', 'menuitem');
  if (color) made.append(swatch(color));
  made.append(text);
  made.addEventListener('click', (event) => {
    if (underFinger && event.detail) return;
    if (!stays) closeMenu();
    action();
  });
  return made;
}

function fillMenu(title, color, items, kind = '') {
  menu.className = `menu ${kind}`;
  const heading = document.createElement('p');
  heading.setAttribute('role', 'presentation');
  if (color) heading.append(swatch(color));
  heading.append(title);
  menu.replaceChildren(heading, ...items);
  menu.setAttribute('aria-label', title);
  menu.hidden = false;
  menu.scrollTop = 0;
  const place = (at, size, room) => Math.max(6, Math.min(at, room - size - 6));
  const left = place(menuAt.x + 2, menu.offsetWidth, frame.clientWidth);
  const top = place(menuAt.y + 2, menu.offsetHeight, frame.clientHeight);
  menu.style.transform = `translate(${left}px, ${top}px)`;
  menuButtons()[0].focus({preventScroll: true});
}

function menuButtons() {
  return [...menu.querySelectorAll('button')];
}

function closeMenu(refocus = true) {
  if (menu.hidden) return;
  menu.hidden = true;
  hoverOver(0);
  if (refocus) list.focus({preventScroll: true});
}

menu.addEventListener('keydown', (event) => {
  event.stopPropagation();
  const buttons = menuButtons();
  const at = buttons.indexOf(document.activeElement);
  const letter = event.key.length === 1 ? event.key.toLowerCase() : '';
  const moves = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1};
  if (event.key in moves) buttons[(moves[event.key] + buttons.length) % buttons.length].focus();
  else if (event.key === 'Escape' || event.key === 'Tab') closeMenu();
  else if (letter && letter !== ' ') {
    const rest = [...buttons.slice(at + 1), ...buttons.slice(0, at + 1)];
    const found = rest.find((button) => button.textContent.trim().toLowerCase().startsWith(letter));
    if (found) found.focus();
  } else return; // Enter and Space press the button
  event.preventDefault();
});

menu.addEventListener('focusout', (event) => {
  if (event.relatedTarget && !menu.contains(event.relatedTarget)) closeMenu(false);
});
document.addEventListener('pointerdown', closeFromAfar, true);
function closeFromAfar(event) {
  if (!element.isConnected) return document.removeEventListener('pointerdown', closeFromAfar, true);
  underFinger = false;
  if (!menu.contains(event.target)) closeMenu(false);
}
