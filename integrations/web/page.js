// The page: takes photos, shows their regions on the stage, and hands out the files.

import {markCards, showCards} from './cards.js';
import {labels, load, makeFile, progress, segment} from './computer.js';
import {offline} from './offline.js';
import {markup, run} from './stage.js';
import {language, languages, nameOf, stageTexts, tr, translatePage} from './texts.js';

const one = (selector) => document.querySelector(selector);
const input = one('#photo input');

translatePage();
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.body.classList.toggle('dark', dark.matches);
dark.addEventListener('change', follow);
follow();
one('.title nav').replaceChildren(
  ...languages.map((code) => Object.assign(document.createElement('a'), {href: `?lang=${code}`, lang: code, textContent: nameOf(code)})),
);

const about = await (await fetch('model.json')).json();
one('.ribbon').style.background = ribbon(about.classes.slice(1));
one('#model').textContent = `${tr('Model: {name}.', {name: about.name})} ${tr(about.license)}`;

function ribbon(classes) {
  const share = (index) => `${((100 * index) / classes.length).toFixed(2)}%`;
  return `linear-gradient(90deg,${classes.map(({color}, at) => `${color} ${share(at)} ${share(at + 1)}`).join(',')})`;
}

// The stage is the app's own: it is given values as clothseg/app/components/stage.py describes them.
const props = {value: null, news: null, texts: stageTexts};
const watchers = {};
one('#stage').innerHTML = markup;
run(one('#stage'), props, () => {}, (name, heard) => (watchers[name] = heard));
function show(value) {
  props.value = value;
  watchers.value();
}
function news(changed) {
  props.news = {number: shown.number, ...changed};
  watchers.news();
}

let stage = {number: null, picked: []};
let shown = null; // the photo on the stage: {number, name, parts}
let last = 0; // number of the last photo that was given
let classes = null; // names of the classes that were picked last by hand
document.addEventListener('stage:state', (event) => {
  const before = stage;
  stage = event.detail;
  if (before.number && before.number === stage.number && String(before.picked) !== String(stage.picked)) {
    classes = pickedParts().map((part) => part.name);
  }
  markCards(stage);
  enable();
});
document.addEventListener('stage:save', () => save('cutout'));

function pickedParts() {
  return shown ? shown.parts.filter((part) => stage.picked.includes(part.key)) : [];
}

function enable() {
  for (const button of document.querySelectorAll('#save, #copy, [data-file=mask]')) button.disabled = !stage.picked.length;
}

// One photo at a time; of several that are given meanwhile, the last is shown.
async function take(file) {
  if (!file) return;
  const number = (last += 1);
  complain('');
  document.body.classList.add('busy-photo');
  say(tr('Segmenting…'));
  try {
    await ready;
    const found = await segment(file);
    if (number === last) await present(file, number, found);
  } catch (error) {
    if (number === last) complain(await reason(file, error));
  } finally {
    if (number === last) document.body.classList.remove('busy-photo');
    input.value = '';
  }
}

// Why a photo could not be used.
async function reason(file, error) {
  if (trouble) return tr('The model cannot be loaded: {error}', {error: trouble.message});
  const readable = await createImageBitmap(file).then(() => true, () => false);
  if (!readable) return tr('This browser cannot read the file as a photo. Try JPEG, PNG or WebP.');
  return tr('The photo cannot be segmented: {error}', {error: error.message});
}

let preview = null; // address of the photo's preview
async function present(file, number, found) {
  const parts = found.parts.map(({id, ...rest}) => ({...classOf(id), ...rest, person: null, confidence: null}));
  const index = new Uint8Array(256);
  found.parts.forEach(({id}, at) => (index[id] = at + 1));
  const map = {width: found.map.width, height: found.map.height, ids: found.map.ids.map((id) => index[id])};
  if (preview) URL.revokeObjectURL(preview);
  preview = URL.createObjectURL(found.preview);
  shown = {number, name: file.name || 'photo', parts, times: found.times};
  const picture = await createImageBitmap(found.preview);
  showCards(parts, about.groups, picture, map);
  picture.close();
  one('#before').hidden = true;
  one('#after').hidden = one('#take').hidden = false;
  one('.title').classList.add('with-result');
  show({
    number,
    base: number,
    photo: {url: preview},
    width: found.width,
    height: found.height,
    map: {width: map.width, height: map.height, data: await pack(map.ids)},
    parts,
    classes: about.classes.map((_, id) => classOf(id)),
    picked: firstPicks(parts).map((part) => part.key),
    cutout: null,
    background: background(),
    download: null,
    opacity: null,
    view: null,
    edits: [],
    turn: null,
    editable: false,
  });
  const [width, height] = [found.width, found.height];
  if (found.shrunk) {
    toast(tr('The photo is larger than this app accepts. It was reduced to {width} × {height} pixels.', {width, height}));
  }
  say(parts.length ? tr('{number} items', {number: parts.length}) : tr('No clothes found in this photo'));
}

function classOf(id) {
  const {name, color, ink} = about.classes[id];
  return {key: encodeURIComponent(name), name, label: tr(name), color: id ? color : '#888888', ink, number: id};
}

// The classes that were picked last, else all garments, else everything.
function firstPicks(parts) {
  const among = (names) => parts.filter((part) => names.includes(part.name));
  return [among(classes || []), among(about.garments), parts].find((chosen) => chosen.length) || [];
}

// Ids as the stage reads them: base64 of the zlib stream of 16-bit numbers.
async function pack(ids) {
  const bytes = new Uint8Array(2 * ids.length);
  for (let at = 0; at < ids.length; at += 1) bytes[2 * at] = ids[at];
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  let text = '';
  for (let at = 0; at < packed.length; at += 8192) text += String.fromCharCode(...packed.subarray(at, at + 8192));
  return btoa(text);
}

// Files

function background() {
  const ground = one('#ground input:checked').value;
  return {Transparent: null, White: '#ffffff', Colour: one('#ground-color').value}[ground];
}

const made = (name) =>
  makeFile(name, pickedParts().map((part) => part.number), {background: background(), crop: one('#crop input').checked});

async function save(name) {
  if (!shown || (name !== 'labels' && !stage.picked.length)) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await made(name));
  link.download = `${shown.name.replace(/\.\w+$/, '')}-${name}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

for (const button of document.querySelectorAll('[data-file]')) button.addEventListener('click', () => save(button.dataset.file));
one('#copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.write([new ClipboardItem({'image/png': made('cutout')})]);
    toast(tr('The cut-out was copied.'));
  } catch {
    toast(tr('The browser did not allow copying. Use Download.'));
  }
});
one('#look-of-cutout').addEventListener('input', () => {
  one('#ground-color').hidden = one('#ground input:checked').value !== 'Colour';
  if (shown) news({background: background()});
});

// Photos: chosen, dropped anywhere, or pasted.

input.addEventListener('change', () => take(input.files[0]));
one('#new-photo').addEventListener('click', () => input.click());
const holdsFiles = (event) => [...(event.dataTransfer?.types || [])].includes('Files');
let depth = 0;
const dragging = (by) => document.body.classList.toggle('dropping', (depth = Math.max(0, depth + by)) > 0);
addEventListener('dragenter', (event) => holdsFiles(event) && dragging(1));
addEventListener('dragleave', (event) => holdsFiles(event) && dragging(-1));
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  dragging(-depth);
  take(event.dataTransfer.files[0]);
});
addEventListener('paste', (event) => {
  const photo = [...event.clipboardData.files].find((each) => each.type.startsWith('image/'));
  if (photo) take(photo);
});

// Messages of the page

function complain(text) {
  const place = one('#message');
  place.hidden = !text;
  place.className = text ? 'problem' : '';
  place.replaceChildren();
  if (!text) return;
  const title = Object.assign(document.createElement('h2'), {textContent: tr('This photo cannot be used')});
  place.append(title, Object.assign(document.createElement('p'), {textContent: text}));
}

function say(text) {
  one('#said').textContent = text;
}

let fading = 0;
function toast(text) {
  one('#said-here').textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => (one('#said-here').textContent = ''), 6000);
}

// The network

let trouble = null;
progress.tell = (loaded, total) => {
  const megabytes = (bytes) => (bytes / 1e6).toLocaleString(language, {maximumFractionDigits: 0});
  one('#coming progress').value = loaded / total;
  one('#coming span').textContent = tr('The model is being loaded: {done} of {total} MB.', {done: megabytes(loaded), total: megabytes(total)});
};
progress.tell(0, about.bytes[about.file] + about.bytes['runtime/ort-wasm-simd-threaded.wasm']);

async function begin() {
  await offline();
  const running = await load(new URLSearchParams(location.search).get('backend'));
  one('#coming').hidden = true;
  return running;
}
const ready = begin();
ready.catch((error) => {
  trouble = error;
  one('#coming span').textContent = tr('The model cannot be loaded: {error}', {error: error.message});
  one('#coming progress').hidden = true;
});

// For tests and benchmarks.
window.clothseg = {ready, segment, labels, shown: () => shown, stage: () => stage};
