// The service worker, which keeps the page's files for visits without a network. Everything works without it, too.

const PATIENCE = 4000; // milliseconds

/** Resolve when files fetched from now on are kept, or if they cannot be. */
export async function offline() {
  const workers = navigator.serviceWorker; // only on https: and localhost
  if (!workers) return;
  try {
    await workers.register('service-worker.js', {updateViaCache: 'none'});
    if (workers.controller) return;
    await Promise.race([
      new Promise((done) => workers.addEventListener('controllerchange', done, {once: true})),
      new Promise((done) => setTimeout(done, PATIENCE)),
    ]);
  } catch {
    // private windows and frames of other sites may forbid it
  }
}
