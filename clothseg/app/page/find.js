// The search field: the text is searched after a pause in the typing, or at once with the Enter key.

const MOMENT = 250; // milliseconds
let typing;
const search = () => {
  clearTimeout(typing);
  one('#find-go')?.click();
};
const inField = (event) => event.target.matches?.('#find input');
document.addEventListener('input', (event) => {
  if (!inField(event)) return;
  clearTimeout(typing);
  typing = setTimeout(search, MOMENT);
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.isComposing && inField(event)) search();
});
