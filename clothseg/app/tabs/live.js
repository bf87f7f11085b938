// Stops the camera where nobody sees it, and names gradio's camera buttons. `TEXTS` is replaced by the page's texts.
const row = element.closest('.two');
const texts = TEXTS;

const stop = () => {
  const running = ['stop recording', 'spinner'].map((title) => `.icon-with-text [title="${title}"]`).join();
  row.querySelector(running)?.closest('button').click();
  release();
};
const release = () => row.querySelector('video')?.srcObject?.getTracks().forEach((track) => track.stop());

// gradio keeps the stream that it has opened: one that was stopped is replaced.
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

// Nor does it let go of the camera when it stops to record, by its button or because the time is over.
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
