// The page's languages: texts are in English in the page, and texts.json has the others (from the app, and from
// translations/ beside this file).

const all = await (await fetch('texts.json')).json();

/** The codes of the languages. */
export const languages = Object.keys(all);

const asked = new URLSearchParams(location.search).get('lang');
const wishes = [asked, ...navigator.languages].filter(Boolean).map((tag) => tag.toLowerCase().split('-')[0]);

/** The code of the visitor's language. */
export const language = wishes.find((code) => code in all) || 'en';

/** A text in the visitor's language, with values in place of the names in braces. */
export function tr(text, values = {}) {
  return fill(all[language].words[text] ?? text, values);
}

/** The texts of the stage. */
export const stageTexts = all[language].stage;

/** The own name of a language. */
export const nameOf = (code) => all[code].name;

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Translate the texts in the page's HTML. */
export function translatePage() {
  document.documentElement.lang = language;
  for (const place of document.querySelectorAll('[data-tr]')) place.textContent = tr(place.textContent.trim());
  for (const place of document.querySelectorAll('[data-tr-label]')) place.setAttribute('aria-label', tr(place.dataset.trLabel));
  for (const place of document.querySelectorAll('label[title]')) place.title = tr(place.title);
  document.title = tr(document.title);
}
