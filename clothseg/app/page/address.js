// The address contains the open tab and the settings, for reload, Back and changes of the language.

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

// A file that was given before this script ran: see early.js.
const early = window.clothsegEarly || {};
if (early.file) page.give(early.file);
else reload();
if (early.elsewhere) say('{{NOT_READY}}');
