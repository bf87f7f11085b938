// The list of found regions beside the stage, as clothseg/app/cards.py and clothseg/app/page/cards.js make it.

import {tr} from './texts.js';

const THUMBNAIL = 112; // longest side of a card's picture in pixels

const place = document.querySelector('#items');
const tell = (detail) => document.dispatchEvent(new CustomEvent('stage:do', {detail}));

function element(name, properties = {}, ...children) {
  const {dataset = {}, ...others} = properties;
  const made = Object.assign(document.createElement(name), others);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

/** Show the cards of the regions: parts as the stage has them, and their groups, name -> names of classes. */
export function showCards(parts, groups, picture, map) {
  if (!parts.length) return place.replaceChildren();
  const count = parts.length === 1 ? tr('1 item') : tr('{number} items', {number: parts.length});
  const cards = element('div', {className: 'cards'}, ...parts.map((part, index) => card(part, index, picture, map)));
  const presets = element('div', {className: 'presets'}, ...presetButtons(parts, groups));
  for (const [group, label] of [[cards, tr('Items found')], [presets, tr('Choose items')]]) {
    group.setAttribute('role', 'group');
    group.setAttribute('aria-label', label);
  }
  place.replaceChildren(element('h2', {}, `${tr('Items found')} `, element('small', {}, count)), presets, cards);
}

function presetButtons(parts, groups) {
  const chosen = new Map();
  for (const [group, names] of [...Object.entries(groups), ['Everything', parts.map((part) => part.name)]]) {
    const keys = parts.filter((part) => names.includes(part.name)).map((part) => part.key).join(' ');
    if (keys && ![...chosen.values()].includes(keys)) chosen.set(group, keys);
  }
  chosen.set('None', '');
  return [...chosen].map(([group, keys]) => element('button', {type: 'button', dataset: {pick: keys}}, tr(group)));
}

function card(part, index, picture, map) {
  const swatch = element('i', {className: 'swatch'}, String(part.number));
  Object.assign(swatch.style, {background: part.color, color: part.ink});
  const image = element('img', {alt: '', src: thumbnail(index + 1, picture, map)});
  const share = part.share < 0.01 ? '< 1' : String(Math.round(100 * part.share));
  const small = element('small', {title: tr('Share of the photo')}, `${share} %`);
  const made = element(
    'button',
    {type: 'button', className: 'thing', title: tr('Double click: only this'), dataset: {key: part.key}},
    image,
    element('span', {}, swatch, element('b', {}, part.label), small),
  );
  made.setAttribute('aria-pressed', 'false');
  return made;
}

// A small picture of one region, as a data: URL.
function thumbnail(number, picture, {width, height, ids}) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  ids.forEach((id, at) => {
    if (id !== number) return;
    const x = at % width;
    const y = (at - x) / width;
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
  });
  if (!right) return '';
  const [wide, high] = [right - left, bottom - top];
  const cut = element('canvas', {width: wide, height: high});
  const paper = cut.getContext('2d');
  const inside = paper.createImageData(wide, high);
  const pixels = new Uint32Array(inside.data.buffer);
  for (let y = 0, to = 0; y < high; y += 1) {
    const from = (top + y) * width + left;
    for (let x = 0; x < wide; x += 1) pixels[to++] = ids[from + x] === number ? 0xffffffff : 0;
  }
  paper.putImageData(inside, 0, 0);
  paper.globalCompositeOperation = 'source-in';
  paper.drawImage(picture, -left, -top);
  const scale = Math.min(1, THUMBNAIL / Math.max(wide, high));
  const made = element('canvas', {
    width: Math.max(1, Math.round(wide * scale)),
    height: Math.max(1, Math.round(high * scale)),
  });
  const context = made.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(cut, 0, 0, made.width, made.height);
  return made.toDataURL('image/png');
}

/** Show what is picked and what is under the pointer, as `stage:state` says. */
export function markCards({picked, hover}) {
  for (const each of place.querySelectorAll('[data-key]')) {
    each.setAttribute('aria-pressed', picked.includes(each.dataset.key));
    each.classList.toggle('lit', each.dataset.key === hover);
  }
  for (const button of place.querySelectorAll('[data-pick]')) {
    const keys = button.dataset.pick.split(' ').filter(Boolean);
    button.setAttribute('aria-pressed', keys.length === picked.length && keys.every((key) => picked.includes(key)));
  }
  // One stop of the Tab key for each group; arrow keys go on within it.
  for (const group of place.querySelectorAll('[role=group]')) {
    const buttons = [...group.querySelectorAll('button')];
    const stop = buttons.find((each) => each === document.activeElement) || buttons.find((each) => each.tabIndex === 0);
    for (const button of buttons) button.tabIndex = button === (stop || buttons[0]) ? 0 : -1;
  }
}

const keyOf = (event) => event.target.closest?.('[data-key]')?.dataset.key;
place.addEventListener('click', (event) => {
  const key = keyOf(event);
  const preset = event.target.closest('[data-pick]');
  if (key) tell(event.shiftKey ? {only: key} : {toggle: key});
  if (preset) tell({pick: preset.dataset.pick.split(' ').filter(Boolean)});
});
place.addEventListener('dblclick', (event) => keyOf(event) && tell({only: keyOf(event)}));
for (const [kind, over] of [['pointerover', true], ['pointerout', false], ['focusin', true], ['focusout', false]]) {
  place.addEventListener(kind, (event) => keyOf(event) && tell({hover: over ? keyOf(event) : null}));
}
const STEPS = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1};
place.addEventListener('keydown', (event) => {
  const group = event.target.closest('[role=group]');
  if (!group || !(event.key in STEPS || event.key === 'Home' || event.key === 'End')) return;
  event.preventDefault();
  const buttons = [...group.querySelectorAll('button')];
  const last = buttons.length - 1;
  const step = Math.min(last, Math.max(0, buttons.indexOf(event.target) + (STEPS[event.key] || 0)));
  const to = {Home: 0, End: last}[event.key] ?? step;
  for (const button of buttons) button.tabIndex = -1;
  buttons[to].tabIndex = 0;
  buttons[to].focus();
});
