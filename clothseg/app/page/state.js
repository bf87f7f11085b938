// The page's own script, besides Gradio's components and the stage. These files form one function, which Gradio runs
// once the page is loaded: see `page_script` in blocks.py. The server replaces texts in double braces.

// The page's state, and the values that it sends to the server.

document.documentElement.lang = '{{LANGUAGE}}';

const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const told = (detail) => document.dispatchEvent(new CustomEvent('stage:do', {detail}));

// The stage's state, from its events, and the classes that the user picked last.
let stage = {number: null, picked: [], edits: []};
let classes = [];
let file = null; // the photo, as long as this page is open
let given = null; // the last given file, until the server accepts it as the photo
let photo = null; // its path on the server
let analysed = null; // the photo of the last requested analysis, or null
let restoring = null; // picks and edits of a photo that is being sent to the server again
const TWICE = 3000; // milliseconds
let asked = {}; // the photo and settings that are being segmented

const page = {
  // The values sent to the server with each event.
  choice: () => {
    const {number, picked, edits} = stage;
    const opacity = Number(one('#stage .opacity input')?.value ?? 0.6);
    if (restoring) return {number: 0, opacity, ...restoring, restoring: true};
    return {number: number || 0, picked, edits: edits || [], classes, opacity};
  },
  // The same for an analysis, whose second input is the photo. Gradio reports each new photo twice in a row; the second
  // call is blocked here for ever, since it would be computed, too.
  analyse: async (values) => {
    const key = JSON.stringify([values[1]?.path, values.slice(3)]);
    if (key === asked.key && performance.now() - asked.at < TWICE) return never();
    asked = {key, at: performance.now()};
    analysed = values[1];
    if (analysed?.url) remember();
    return page.choice();
  },
  // The same for cards and refined cut-out: they wait until the stage has drawn the result, so as not to slow it down.
  later: async () => {
    await drawn();
    return page.choice();
  },
  link: (query) => location.origin + location.pathname + query,
};
window.clothseg = page;

const never = () => new Promise(() => {});

const LONGEST = 500; // milliseconds
let whenDrawn = [];
const drawn = () =>
  new Promise((done) => {
    if (!stage.coming) return done();
    whenDrawn.push(done);
    setTimeout(done, LONGEST);
  });

// Keep the photo itself, in case the server loses it. Examples and camera pictures are fetched for this.
const remember = async () => {
  const before = photo;
  photo = analysed;
  if (given) [file, given] = [given, null];
  else if (photo.path !== before?.path) {
    file = null;
    const blob = await fetch(photo.url).then((answer) => (answer.ok ? answer.blob() : null), () => null);
    if (blob && photo === analysed) file = new File([blob], photo.orig_name || 'photo', {type: blob.type});
  }
};
