// What the page does in the browser beside gradio's components and the stage. These files are one function, which gradio
// runs once, when the page is there: see `page_script` in blocks.py. Texts in double braces are filled in by the server.

// What the page knows, and what it tells the server.

document.documentElement.lang = '{{LANGUAGE}}';

const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const told = (detail) => document.dispatchEvent(new CustomEvent('stage:do', {detail}));

// What is on the stage, as it says it, and the classes that were picked last by hand.
let stage = {number: null, picked: [], edits: []};
let classes = [];
let file = null; // the photo, as long as this page is open
let given = null; // the file that was given last, until it is known to be the photo
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
  analyse: async (values) => {
    const key = JSON.stringify([values[1]?.path, values.slice(3)]);
    if (key === asked.key && performance.now() - asked.at < TWICE) return never();
    asked = {key, at: performance.now()};
    analysed = values[1];
    if (!analysed?.url) return page.choice();
    const fetched = remember();
    if (fits(analysed)) return page.choice();
    await fetched;
    return analysed === values[1] && (await page.giveReduced()) ? never() : page.choice();
  },
  // The same for cards and refined cut-out: they wait until the stage has drawn the result, not to slow it down.
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

// Keep the photo itself, in case the server loses it. Examples and pictures of the camera are fetched for that, and so
// is a photo that came before this script.
let known = null; // path of a photo that this script gave, or has looked at
const fits = ({path, mime_type, orig_name, size}) =>
  path === known || ((mime_type === 'image/jpeg' || /\.jpe?g$/i.test(orig_name)) && size <= MOST_BYTES);
const remember = async () => {
  const before = photo;
  photo = analysed;
  if (given) [file, given, known] = [given, null, photo.path];
  else if (photo.path !== before?.path) {
    file = null;
    const blob = await fetch(photo.url).then((answer) => (answer.ok ? answer.blob() : null), () => null);
    if (blob && photo === analysed) file = new File([blob], photo.orig_name || 'photo', {type: blob.type});
  }
};
