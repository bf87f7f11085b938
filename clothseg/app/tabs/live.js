// Stops the camera where nobody sees it, and names gradio's camera buttons. `TEXTS` is replaced by the page's texts.
const row = element.closest('.two');
const texts = TEXTS;

const stop = () => {
  const running = ['stop recording', 'spinner'].map((title) => `.icon-with-text [title="${title}"]`).join();
  row.querySelector(running)?.closest('button').click();
  row.querySelector('video')?.srcObject?.getTracks().forEach((track) => track.stop());
};

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

const check = () => (document.hidden || !row.checkVisibility() ? stop() : reopen().catch(() => {}));
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
new MutationObserver(rename).observe(row, {childList: true, subtree: true, characterData: true});
rename();
