// What the page does in the browser beside gradio's components and the stage: photos that are dropped or pasted
// anywhere, the cards of the items, downloads, and what is kept over a reload. gradio runs it once, when the page is
// there. Texts in double braces are filled in by the server.
() => {
  document.documentElement.lang = '{{LANGUAGE}}';

  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const told = (detail) => document.dispatchEvent(new CustomEvent('stage:do', {detail}));

  // What is on the stage, as it says it, and the classes that were picked last by hand.
  let stage = {number: null, picked: [], edits: []};
  let classes = [];
  let file = null; // the photo, as long as this page is open

  const page = {
    choice: () => ({
      number: stage.number || 0,
      picked: stage.picked,
      edits: stage.edits || [],
      classes,
      opacity: Number(one('#stage .opacity input')?.value ?? 0.6),
    }),
    link: (query) => location.origin + location.pathname + query,
  };
  window.clothseg = page;

  // Names of what has none: gradio's buttons around pictures.

  const name = () => {
    all('#examples button.gallery-item:not([aria-label])').forEach((button, index) => {
      button.setAttribute('aria-label', `{{EXAMPLE}}`);
    });
    all('button:not([aria-label]):has(> .image-frame)').forEach((button) => {
      const label = button.closest('.block')?.querySelector('[data-testid=block-label]');
      button.setAttribute('aria-label', label?.innerText.trim() || '{{PICTURE}}');
    });
    all('fieldset:not([aria-label])').forEach((group) => {
      const label = group.querySelector('[data-testid=block-info]')?.innerText.trim();
      if (label) group.setAttribute('aria-label', label);
    });
  };
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
  name();

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

  // Take away a photo that could not be used, so that another one can be dropped or chosen in its place.
  page.discard = () => {
    if (one('#message .problem')) one('#photo .icon-button-wrapper button:last-of-type')?.click();
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
    if (event.target === input() && event.target.files[0]) file = event.target.files[0];
  }, true);

  // The cards, and the buttons that need something picked.

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
    all('#save, #copy, #save-each').forEach((button) => {
      button.disabled = !picked.size || !stage.number;
    });
  };
  let settling = false;
  document.addEventListener('stage:state', (event) => {
    const before = stage;
    stage = event.detail;
    // What a new result begins with was picked by nobody.
    if (before.number !== stage.number) {
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
  // A link may say how opaque the regions are at first.
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

  // Downloads: the server makes a file when it is asked for, of what is picked at that moment.

  page.take = (made) => {
    if (!made) return;
    const link = document.createElement('a');
    link.href = made.url;
    link.download = made.orig_name || made.path.split('/').pop();
    document.body.append(link);
    link.click();
    link.remove();
  };
  let settle = null;
  page.copy = () => {
    const promise = new Promise((resolve, reject) => {
      settle = {resolve, reject};
    });
    promise.catch(() => {});
    // The promise, not its picture: browsers take only what is copied at once after a click.
    navigator.clipboard.write([new ClipboardItem({'image/png': promise})]).then(
      () => say('{{COPIED}}'),
      () => say('{{NOT_COPIED}}'),
    );
  };
  page.copied = async (made) => {
    if (!settle) return;
    const {resolve, reject} = settle;
    settle = null;
    if (!made) return reject(new Error('nothing'));
    resolve(await (await fetch(made.url)).blob());
  };
  document.addEventListener('click', (event) => {
    if (event.target.closest?.('#copy:not(:disabled)')) page.copy();
  }, true);
  const say = (text) => {
    const place = one('#said-here');
    if (place) place.textContent = text;
  };

  const keep = () => {};
}
