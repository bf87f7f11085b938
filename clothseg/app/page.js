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
  let photo = null; // where the server has it
  let analysed = null; // what the last analysis was asked for: a photo, or null without one
  let restoring = null; // picks and corrections of a photo that is on its way back to the server
  const TWICE = 3000; // milliseconds
  let asked = {}; // the photo and settings that are being segmented

  const page = {
    // What the server is told with each event.
    choice: () => {
      const {number, picked, edits} = stage;
      const opacity = Number(one('#stage .opacity input')?.value ?? 0.6);
      if (restoring) return {number: 0, opacity, ...restoring, restoring: true};
      return {number: number || 0, picked, edits: edits || [], classes, opacity};
    },
    // The same for an analysis, whose second input is the photo. gradio sends a change of the photo twice in a row; the
    // second call would be computed, too, so that it waits here for ever.
    analyse: (values) => {
      const key = JSON.stringify([values[1]?.path, values.slice(3)]);
      if (key === asked.key && performance.now() - asked.at < TWICE) return new Promise(() => {});
      asked = {key, at: performance.now()};
      analysed = values[1];
      if (analysed?.url) photo = analysed;
      return page.choice();
    },
    // The same for cards and refined cut-out: they wait until the stage has drawn the result, not to slow it down.
    later: async () => {
      await drawn();
      return page.choice();
    },
    link: (query) => location.origin + location.pathname + query,
  };
  window.clothseg = page;

  const LONGEST = 500; // milliseconds
  let whenDrawn = [];
  const drawn = () =>
    new Promise((done) => {
      if (!stage.coming) return done();
      whenDrawn.push(done);
      setTimeout(done, LONGEST);
    });

  // Names of what has none: gradio's buttons around pictures.

  const name = () => {
    all('#examples button.gallery-item:not([aria-label])').forEach((button, index) => {
      button.setAttribute('aria-label', `{{EXAMPLE}}`);
    });
    all('button:not([aria-label]):has(> .image-frame)').forEach((button) => {
      const label = button.closest('.block')?.querySelector('[data-testid=block-label]');
      button.setAttribute('aria-label', label?.innerText.trim() || '{{PICTURE}}');
    });
    // gradio gives each radio button of a group a name of its own, so that arrow keys do nothing and each is a stop.
    all('fieldset').forEach((group, place) => {
      for (const radio of group.querySelectorAll('input[type=radio]:not([name^=group])')) radio.name = `group-${place}`;
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
    file = event.target.files[0];
    if (begun) return;
    event.stopImmediatePropagation();
    held = file;
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
    // One stop of the Tab key for each group; arrow keys go on within it.
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
    // What a new result begins with was picked by nobody.
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

  // Downloads: the server makes a file when it is asked for, of what is picked at that moment.

  page.take = (made) => {
    if (!made) return page.restore();
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
  let hush = 0;
  const say = (text) => {
    const place = one('#said-here');
    if (!place) return;
    place.textContent = text;
    clearTimeout(hush);
    hush = setTimeout(() => (place.textContent = ''), 8000);
  };

  // What is kept over a reload, in this tab of the browser alone: which photo, what is picked, what was corrected.

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

  // Send the photo once more to a server that has lost it, with all that was picked and corrected.
  page.restore = () => {
    if (!stage.number || !file) return;
    restoring = {picked: stage.picked, edits: stage.edits || [], classes};
    asked = {};
    page.give(file);
    say('{{SENT_AGAIN}}');
  };

  const reload = async () => {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) || 'null');
    if (!kept?.photo) return;
    const answer = await fetch(kept.photo.url).catch(() => null);
    if (!answer?.ok || stage.number) return sessionStorage.removeItem(KEPT);
    const {picked, edits} = kept;
    classes = kept.classes;
    restoring = {picked, edits, classes};
    const blob = await answer.blob();
    page.give(new File([blob], kept.photo.orig_name || 'photo', {type: blob.type || 'image/jpeg'}));
  };

  // The address says which tab is open and how the settings are, for reload, Back and other languages.

  const address = (change) => {
    const query = new URLSearchParams(location.search);
    change(query);
    const text = query.toString().replaceAll('%2C', ',');
    history.replaceState(history.state, '', text ? `?${text}` : location.pathname);
  };
  page.settle = (query) =>
    address((now) => {
      const [lang, tab] = [now.get('lang'), now.get('tab')];
      [...now.keys()].forEach((key) => now.delete(key));
      new URLSearchParams(query).forEach((value, key) => now.set(key, value));
      if (lang) now.set('lang', lang);
      if (tab) now.set('tab', tab);
    });
  const tabs = () => all('#tabs > .tab-wrapper [role=tab], #tabs .tab-container [role=tab]');
  document.addEventListener('click', (event) => {
    const place = tabs().indexOf(event.target.closest?.('[role=tab]'));
    if (place >= 0) address((now) => (place ? now.set('tab', place) : now.delete('tab')));
    const language = event.target.closest?.('.title nav a');
    if (language) {
      event.preventDefault();
      const query = new URLSearchParams(location.search);
      query.set('lang', language.hreflang);
      location.search = query.toString();
    }
  });
  const open = new URLSearchParams(location.search).get('tab');
  if (open) tabs()[open]?.click();
  reload();
}
