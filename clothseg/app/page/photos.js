// Photos: dropped anywhere, pasted, or chosen by "New photo".

const onSegment = () => one('#work')?.checkVisibility();
const input = () => one('#photo input[type=file]');

page.give = (photo) => {
  const box = input();
  if (!box || !photo) return;
  const files = new DataTransfer();
  files.items.add(photo);
  box.files = files.files;
  box.dispatchEvent(new Event('change', {bubbles: true}));
};

// Take away a photo that could not be used, so that another one can be dropped or chosen in its place; but not the
// next photo, which may be there already.
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
  if (holdsFiles(event)) event.preventDefault(); // or the browser leaves the page for the file
});
// Before gradio's own targets, which are left alone on the other tabs and under "Background".
window.addEventListener(
  'drop',
  (event) => {
    if (!holdsFiles(event)) return;
    depth = 0;
    dragging(false);
    const target = event.target.closest?.('.block:has(input[type=file])');
    if (target && target.id !== 'photo') return;
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
document.addEventListener('change', (event) => {
  if (event.target !== input() || !event.target.files[0]) return;
  given = event.target.files[0];
  if (begun) return;
  event.stopImmediatePropagation();
  held = given;
}, true);

// A photo that comes before the settings of a link waits for them.
let begun = !location.search;
let held = null;
page.begin = () => {
  begun = true;
  page.give(held);
  held = null;
};
setTimeout(page.begin, 10_000); // if the server did not answer
