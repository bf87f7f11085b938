// Keeps the page's files: what offline-files.js lists, each until its digest changes. Small files are fetched when the worker is
// installed, the network and its runtime when the page first asks for them.
//
// Files come with the headers that isolate the page from others, as browsers demand before they give WebAssembly more
// than one thread. A server that sends them itself, as a static Space does, has it so from the first visit on.

importScripts('offline-files.js'); // FILES: path -> {digest, bytes}

const LARGE = 2e6; // bytes
const root = new URL('./', self.location);
const CACHE = `clothseg ${root.pathname}`; // pages in other folders of this host have their own
const keyOf = (path) => `${new URL(path, root)}?digest=${FILES[path].digest}`;

async function fetched(path) {
  const answer = await fetch(new URL(path, root), {cache: 'no-cache'});
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

async function install() {
  const cache = await caches.open(CACHE);
  const small = Object.keys(FILES).filter((path) => FILES[path].bytes < LARGE);
  await Promise.all(
    small.map(async (path) => (await cache.match(keyOf(path))) || cache.put(keyOf(path), await fetched(path))),
  );
  await self.skipWaiting();
}

async function activate() {
  const cache = await caches.open(CACHE);
  const wanted = new Set(Object.keys(FILES).map(keyOf));
  await Promise.all((await cache.keys()).filter(({url}) => !wanted.has(url)).map((key) => cache.delete(key)));
  await self.clients.claim();
}

// Worker scripts have their own content security policy: the page's does not apply to them.
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; connect-src 'self'";

function isolated(answer, path) {
  const headers = new Headers(answer.headers);
  if (/\.m?js$/.test(path)) headers.set('Content-Security-Policy', POLICY);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'cross-origin');
  return new Response(answer.body, {status: answer.status, statusText: answer.statusText, headers});
}

async function answer(path, event) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(keyOf(path));
  if (kept) return isolated(kept, path);
  const fresh = await fetched(path);
  event.waitUntil(cache.put(keyOf(path), fresh.clone()).catch(() => {})); // the disk may be full
  return isolated(fresh, path);
}

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(activate()));
self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== root.origin || !url.pathname.startsWith(root.pathname)) return;
  const path = url.pathname.slice(root.pathname.length) || 'index.html';
  if (path in FILES) event.respondWith(answer(path, event));
});
