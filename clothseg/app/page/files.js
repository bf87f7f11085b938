// Downloads: the server creates a file on request, from the parts picked at that moment.

page.take = (made, button) => {
  if (!made) return restore(() => one(button).click());
  const link = document.createElement('a');
  link.href = made.url;
  link.download = made.orig_name || made.path.split('/').pop();
  document.body.append(link);
  link.click();
  link.remove();
};
document.addEventListener('stage:save', () => one('#save')?.click());
let settle = null;
page.copy = () => {
  const promise = new Promise((resolve, reject) => {
    settle = {resolve, reject};
  });
  promise.catch(() => {});
  // Pass the promise, not the picture: browsers allow copying only immediately after a click.
  navigator.clipboard.write([new ClipboardItem({'image/png': promise})]).then(
    () => say('{{COPIED}}'),
    () => say('{{NOT_COPIED}}'),
  );
};
page.copied = async (made) => {
  if (!settle) return;
  if (!made && restore(() => one('#copy').click())) return;
  const {resolve, reject} = settle;
  settle = null;
  if (!made) return reject(new Error('nothing'));
  resolve(await (await fetch(made.url)).blob());
};
document.addEventListener('click', (event) => {
  if (event.target.closest?.('#copy:not(:disabled)') && !settle) page.copy();
}, true);
let hush = 0;
const say = (text) => {
  const place = one('#said-here');
  if (!place) return;
  place.textContent = text;
  clearTimeout(hush);
  hush = setTimeout(() => (place.textContent = ''), 8000);
};
