// Runs in the page's head, before Gradio: keeps a photo that is dropped, pasted or chosen before the page's own script
// is ready. The browser would open it in place of the page, or Gradio would upload it without the script.

(() => {
  const early = (window.clothsegEarly = {file: null, elsewhere: false});
  const ready = () => Boolean(window.clothseg);
  const holdsFiles = (event) => [...(event.dataTransfer?.types || [])].includes('Files');
  const keep = (event, file) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    // Gradio shows the first tab, unless the address names another.
    if (new URLSearchParams(location.search).get('tab')) early.elsewhere = true;
    else early.file = file;
  };
  addEventListener('dragover', (event) => {
    if (!ready() && holdsFiles(event)) event.preventDefault();
  }, true);
  addEventListener('drop', (event) => {
    if (!ready() && holdsFiles(event)) keep(event, event.dataTransfer.files[0]);
  }, true);
  addEventListener('change', (event) => {
    const chosen = event.target.matches?.('#photo input[type=file]') && event.target.files[0];
    if (!ready() && chosen) keep(event, chosen);
  }, true);
  addEventListener('paste', (event) => {
    const photo = [...(event.clipboardData?.files || [])].find((each) => each.type.startsWith('image/'));
    if (!ready() && photo) keep(event, photo);
  }, true);
})();
