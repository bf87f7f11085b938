// Stops the camera when its tab is left, and names Gradio's camera buttons. `TEXTS` is replaced by the page's texts.
const row = element.closest('.two');
const texts = TEXTS;

const stop = () => {
  const running = ['stop recording', 'spinner'].map((title) => `.icon-with-text [title="${title}"]`).join();
  row.querySelector(running)?.closest('button').click();
  release();
};
const release = () => row.querySelector('video')?.srcObject?.getTracks().forEach((track) => track.stop());

// Gradio keeps its stream open: a stopped one is replaced.
const reopen = async () => {
  const video = row.querySelector('video');
  const tracks = video?.srcObject?.getTracks() ?? [];
  if (!tracks.length || tracks.some((track) => track.readyState === 'live')) return;
  const deviceId = tracks[0].getSettings().deviceId;
  video.srcObject = await navigator.mediaDevices.getUserMedia({
    video: {deviceId, width: {ideal: 1920}, height: {ideal: 1440}},
  });
  await video.play();
};

// It also keeps the camera on after recording has stopped, by its button or at the time limit.
let running = false;
let resting = false;
const follow = () => {
  const has = (title) => row.querySelector(`.icon-with-text [title="${title}"]`) !== null;
  if (running && has('start recording')) {
    resting = true;
    release();
  }
  running = has('stop recording') || (running && !has('start recording'));
};
row.addEventListener(
  'click',
  (event) => {
    if (!event.target.closest('button')?.querySelector('[title="start recording"]')) return;
    resting = false;
    reopen().catch(() => {});
  },
  true,
);

const check = () => {
  if (document.hidden || !row.checkVisibility()) stop();
  else if (!resting) reopen().catch(() => {});
};
new ResizeObserver(check).observe(row);
document.addEventListener('visibilitychange', check);

const rename = () => {
  for (const [title, text] of Object.entries(texts)) {
    const icon = row.querySelector(`#live-camera [title="${title}"]`);
    const label = icon && (icon.querySelector('.icon-wrap') ?? icon).nextSibling;
    if (label && label.nodeValue.trim() !== text) {
      label.nodeValue = ` ${text}`;
      icon.closest('button')?.setAttribute('aria-label', text);
    }
  }
};
new MutationObserver(() => {
  rename();
  follow();
}).observe(row, {childList: true, subtree: true, characterData: true});
rename();
