// The cards, and the buttons that are enabled by a pick.

const mark = () => {
  const picked = new Set(stage.picked);
  one('.title')?.classList.toggle('with-result', Boolean(stage.number));
  all('#ground label').forEach((label) => {
    label.title ||= label.innerText.trim();
  });
  all('#items [data-key]').forEach((card) => {
    card.setAttribute('aria-pressed', picked.has(card.dataset.key));
    card.classList.toggle('lit', card.dataset.key === stage.hover);
  });
  all('#items [data-pick]').forEach((button) => {
    const keys = button.dataset.pick.split(' ').filter(Boolean);
    button.setAttribute('aria-pressed', keys.length === picked.size && keys.every((key) => picked.has(key)));
  });
  // One tab stop for each group; arrow keys move within it.
  all('#items [role=group]').forEach((group) => {
    const buttons = [...group.querySelectorAll('button')];
    const stop = buttons.find((button) => button === document.activeElement) || buttons.find((button) => button.tabIndex === 0);
    buttons.forEach((button) => (button.tabIndex = button === (stop || buttons[0]) ? 0 : -1));
  });
  all('#save, #copy, #save-each').forEach((button) => {
    button.disabled = !picked.size || !stage.number;
  });
};
let settling = false;
document.addEventListener('stage:state', (event) => {
  const before = stage;
  stage = event.detail;
  if (!stage.coming && whenDrawn.length) {
    const done = whenDrawn;
    whenDrawn = [];
    requestAnimationFrame(() => setTimeout(() => done.forEach((go) => go())));
  }
  // The initial picks of a new result were not made by the user.
  if (before.number !== stage.number) {
    if (stage.number) restoring = null;
    settling = true;
    setTimeout(() => (settling = false));
  }
  if (!settling && before.picked.join() !== stage.picked.join()) {
    classes = [...new Set(stage.picked.map((key) => key.split('/')[0]))];
  }
  shadeAsLinked();
  mark();
  keep();
});
// A link may set the initial opacity of the regions.
let shade = new URLSearchParams(location.search).get('opacity');
const shadeAsLinked = () => {
  const slider = one('#stage .opacity input');
  if (shade === null || !slider || !stage.number) return;
  [slider.value, shade] = [shade, null];
  slider.dispatchEvent(new Event('input', {bubbles: true}));
};
const card = (event) => event.target.closest?.('#items [data-key]')?.dataset.key;
document.addEventListener('click', (event) => {
  const key = card(event);
  const preset = event.target.closest?.('#items [data-pick]');
  if (key) told(event.shiftKey ? {only: key} : {toggle: key});
  if (preset) told({pick: preset.dataset.pick.split(' ').filter(Boolean)});
  if (event.target.closest?.('#new-photo')) input()?.click();
});
const STEPS = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1};
document.addEventListener('keydown', (event) => {
  const group = event.target.closest?.('#items [role=group]');
  if (!group) return;
  const buttons = [...group.querySelectorAll('button')];
  const last = buttons.length - 1;
  const at = buttons.indexOf(event.target);
  const to = {Home: 0, End: last}[event.key] ?? Math.min(last, Math.max(0, at + (STEPS[event.key] || 0)));
  if (!(event.key in STEPS) && event.key !== 'Home' && event.key !== 'End') return;
  event.preventDefault();
  buttons.forEach((button) => (button.tabIndex = -1));
  buttons[to].tabIndex = 0;
  buttons[to].focus();
});
document.addEventListener('dblclick', (event) => {
  const key = card(event);
  if (key) told({only: key});
});
for (const [kind, over] of [['pointerover', true], ['pointerout', false], ['focusin', true], ['focusout', false]]) {
  document.addEventListener(kind, (event) => {
    const key = card(event);
    if (key) told({hover: over ? key : null});
  });
}
new MutationObserver(mark).observe(document.body, {childList: true, subtree: true});
