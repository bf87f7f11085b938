// Photos that are dropped anywhere, pasted, or chosen by "New photo".

const onSegment = () => one('#work')?.checkVisibility();
const input = () => one('#photo input[type=file]');

// Marks of a photo passed on by the page itself: it is the same as before, or known not to be too large.
let giving = {};
page.give = (photo, about = {}) => {
  const box = input();
  if (!box || !photo) return;
  const files = new DataTransfer();
  files.items.add(photo);
  box.files = files.files;
  giving = about;
  box.dispatchEvent(new Event('change', {bubbles: true}));
  giving = {};
};

// Remove a photo that could not be used, so that another one can be dropped or chosen in its place; but not the next
// photo, which may have arrived already.
page.discard = () => {
  asked = {};
  const shown = one('#photo img')?.src;
  if (!one('#message .problem') || !analysed?.url || (shown && shown !== analysed.url)) return;
  one('#photo .icon-button-wrapper button:last-of-type')?.click();
};

const holdsFiles = (event) => [...(event.dataTransfer?.types || [])].includes('Files');
let depth = 0;
const dragging = (on) => document.body.classList.toggle('dropping', on && onSegment());
window.addEventListener('dragenter', (event) => {
  if (holdsFiles(event)) dragging((depth += 1) > 0);
});
window.addEventListener('dragleave', (event) => {
  if (holdsFiles(event)) dragging((depth = Math.max(0, depth - 1)) > 0);
});
window.addEventListener('dragover', (event) => {
  if (holdsFiles(event)) event.preventDefault(); // otherwise the browser opens the file in place of the page
});
// Runs before Gradio's own drop targets, which keep working on the other tabs and under "Background".
window.addEventListener(
  'drop',
  (event) => {
    if (!holdsFiles(event)) return;
    depth = 0;
    dragging(false);
    const target = event.target.closest?.('.block:has(input[type=file])');
    if (target && target.id !== 'photo') return tooLarge(event, event.dataTransfer.files);
    event.preventDefault();
    if (!onSegment()) return;
    event.stopPropagation();
    page.give(event.dataTransfer.files[0]);
  },
  true,
);
window.addEventListener('paste', (event) => {
  const photo = [...(event.clipboardData?.files || [])].find((each) => each.type.startsWith('image/'));
  if (!photo || !onSegment()) return;
  event.preventDefault();
  page.give(photo);
});
// Gradio's own button would upload the clipboard's content without this script.
document.addEventListener('click', async (event) => {
  if (!event.target.closest?.('#photo [aria-label="Paste from clipboard"]') || !navigator.clipboard?.read) return;
  event.stopPropagation();
  const items = await navigator.clipboard.read().catch(() => null);
  if (!items) return say(`{{NOT_PASTED}}`);
  for (const item of items) {
    const type = item.types.find((each) => each.startsWith('image/'));
    if (type) return page.give(new File([await item.getType(type)], `clipboard.${type.slice(6)}`, {type}));
  }
  say(`{{NOTHING_TO_PASTE}}`);
}, true);
document.addEventListener('change', (event) => {
  if (event.target !== input() && event.target.matches('input[type=file]')) tooLarge(event, event.target.files);
  if (event.target !== input() || !event.target.files[0]) return;
  given = event.target.files[0];
  if (!giving.again) restoring = null;
  if (begun && (giving.fits || (given.type === 'image/jpeg' && given.size <= MOST_BYTES))) return;
  event.stopImmediatePropagation();
  held = given;
  if (begun) fit(given);
}, true);

// A photo that is given before the settings of a link have arrived waits for them.
let begun = !location.search;
let held = null;
page.begin = () => {
  if (begun) return;
  begun = true;
  page.give(held, {again: true});
};
setTimeout(page.begin, 10_000); // in case the server does not answer

// A photo that exceeds the server's limit is reduced here, if the browser can read its format. The server itself reads
// a JPEG with too many pixels at a reduced size.
const MOST_PIXELS = {{MOST_PIXELS}};
const MOST_BYTES = {{MOST_BYTES}};
const CANVAS = 4096 * 4096; // pixels; some phones have no larger canvas
const fit = async (photo) => {
  const fitting = await reduced(photo).catch(() => unread(photo));
  if (held !== photo) return;
  if (fitting) page.give(fitting, {again: true, fits: true});
  else given = null;
};
// A file that the browser cannot read: the server may, or says what is wrong with it. Gradio accepts pictures only.
const unread = (photo) => {
  const picture = photo.type.startsWith('image/');
  if (photo.size <= MOST_BYTES) return picture ? photo : new File([photo], photo.name, {type: 'image/png'});
  const {name} = photo;
  say(picture ? `{{TOO_LARGE}}` : `{{NO_PICTURE}}`);
  return null;
};

// Other inputs take larger files, up to Gradio's own limit.
const MOST_UPLOAD = {{MOST_UPLOAD}};
const tooLarge = (event, files) => {
  const found = [...files].find((each) => each.size > MOST_UPLOAD);
  if (!found) return false;
  event.preventDefault();
  event.stopImmediatePropagation();
  const {name} = found;
  say(`{{TOO_LARGE_UPLOAD}}`);
  return true;
};
const reduced = async (photo) => {
  const image = new Image();
  image.src = URL.createObjectURL(photo);
  try {
    await new Promise((done, failed) => Object.assign(image, {onload: done, onerror: failed}));
    const pixels = image.naturalWidth * image.naturalHeight;
    if (photo.size <= MOST_BYTES && pixels <= MOST_PIXELS) return photo;
    const scale = Math.min(1, Math.sqrt(Math.min(MOST_PIXELS, CANVAS) / pixels));
    const canvas = document.createElement('canvas');
    canvas.width = Math.floor(image.naturalWidth * scale);
    canvas.height = Math.floor(image.naturalHeight * scale);
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const words = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    const opaque = words.every((word) => word >>> 24 === 255);
    const [type, ending] = opaque ? ['image/jpeg', '.jpg'] : ['image/png', '.png'];
    const blob = await new Promise((done) => canvas.toBlob(done, type, 0.95));
    say(`{{REDUCED}}`);
    return new File([blob], photo.name.replace(/\.\w+$/, '') + ending, {type});
  } finally {
    URL.revokeObjectURL(image.src);
  }
};
