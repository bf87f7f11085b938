// State kept in this tab of the browser only: photo, picks and edits. It survives a reload, a change of the language,
// the Back button, and a restart of the server.

const KEPT = 'clothseg';
let had = false;
const keep = () => {
  if (stage.number && photo) {
    const {picked, edits} = stage;
    sessionStorage.setItem(KEPT, JSON.stringify({photo, picked, edits, classes}));
  } else if (had) {
    sessionStorage.removeItem(KEPT);
  }
  had = Boolean(stage.number);
};

// Send the photo again to a server that has lost it, with picks and edits, and then repeat the failed action. False if
// that is not possible, or has failed a few times.
const TRIES = 3; // within `A_WHILE`
const A_WHILE = 30_000; // milliseconds
let tries = 0;
let afterwards = null;
const restore = (again = null) => {
  if (!stage.number || tries >= TRIES) return false;
  if (!file) return say('{{LOST}}') && false;
  tries += 1;
  setTimeout(() => (tries -= 1), A_WHILE);
  restoring = {picked: stage.picked, edits: stage.edits || [], classes};
  asked = {};
  afterwards = again;
  page.give(file, {again: true});
  say('{{SENT_AGAIN}}');
  return true;
};
document.addEventListener('stage:lost', () => restore());
let result = null; // number of the shown result
document.addEventListener('stage:state', () => {
  if (stage.number === result || restoring || stage.coming) return;
  result = stage.number;
  if (!result) return;
  release();
  if (afterwards) setTimeout(afterwards);
  afterwards = null;
});

// Gradio reloads the page when a lost server answers again, and that server may have lost the photo: from the first
// failed request or stream until then, the browser's database keeps it. Photos that remain there are deleted after a
// day.
const DAY = 86_400_000; // milliseconds
const tab = (sessionStorage.clothsegTab ||= String(Math.random()).slice(2));
const database = async (mode, act) => {
  const opening = indexedDB.open(KEPT, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('photos');
  const done = (request) =>
    new Promise((take, failed) => {
      request.onsuccess = () => take(request.result);
      request.onerror = () => failed(request.error);
    });
  const opened = await done(opening);
  return done(act(opened.transaction('photos', mode).objectStore('photos'))).finally(() => opened.close());
};
let heldAs = null; // key of the photo in the database
let heldFile = null; // the photo that this page put there
let leaving = false; // while the page is being left, failed requests do not mean that the server is lost
addEventListener('pagehide', () => (leaving = true));
addEventListener('pageshow', () => (leaving = false));
const hold = () => {
  if (!file || file === heldFile || leaving) return;
  const key = (heldAs ||= `${Date.now()} ${tab}`);
  const photo = (heldFile = file); // the database opens later
  if (!had) sessionStorage.setItem(KEPT, JSON.stringify({photo: {orig_name: file.name}}));
  database('readwrite', (photos) => photos.put(photo, key)).catch(() => {}); // some private windows have no database
};
const release = () => {
  const key = heldAs;
  if (key) database('readwrite', (photos) => photos.delete(key)).catch(() => {});
  heldAs = heldFile = null;
};
// It stays in the database until there is a result: the page may be reloaded once more before.
const heldPhoto = async () => {
  for (const key of await database('readonly', (photos) => photos.getAllKeys())) {
    const [time, owner] = key.split(' ');
    if (owner === tab) heldAs = key;
    else if (Date.now() - time > DAY) await database('readwrite', (photos) => photos.delete(key));
  }
  const key = heldAs;
  return key && database('readonly', (photos) => photos.get(key));
};
// Wait for the end of a stream of events: it breaks off if the server is lost after it has begun to answer.
const ended = async (answer) => {
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) return;
  const events = answer.clone().body.getReader();
  while (!(await events.read()).done);
};
const fetchAsBefore = window.fetch;
window.fetch = (...request) => {
  const answer = fetchAsBefore(...request);
  answer.then(ended).catch((error) => error.name === 'AbortError' || hold());
  return answer;
};

const reload = async () => {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) || 'null');
  let photo = await heldPhoto().catch(() => null);
  if (!kept || stage.number) return;
  if (!photo && kept.photo.url) {
    const blob = await fetch(kept.photo.url).then((answer) => answer.ok && answer.blob(), () => null);
    if (blob === null) return; // no server: Gradio reloads the page when it answers
    if (blob) photo = new File([blob], kept.photo.orig_name || 'photo', {type: blob.type || 'image/jpeg'});
  }
  if (!photo || stage.number) return sessionStorage.removeItem(KEPT);
  if (kept.picked) {
    const {picked, edits} = kept;
    classes = kept.classes;
    restoring = {picked, edits, classes};
  }
  page.give(photo, {again: true});
};
