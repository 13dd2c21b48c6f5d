// The service worker: opens the pages where the panel or the network is away. Browsers run it over https and on localhost only.
//
// A page comes from the panel, and from the cache if that takes too long or fails. What has its version in its address comes
// from the cache first. So a page and its files are always of one version, and no other request passes here.

const ROOT = new URL(self.registration.scope).pathname.slice(0, -1); // root.js
const CACHE = `pilotlight-shell${ROOT}`;
const SETTINGS = ['/settings', '/settings/device', '/settings/lights', '/settings/system', '/access'];
const PAGES = ['/', '/plan', '/watch', '/chat', ...SETTINGS].map((path) => ROOT + path);
const PATIENCE = 4000; // ms for a page, before the one in the cache is shown
const AWAY = [502, 503, 504]; // of a proxy that does not reach the panel, and of a panel that ends
const FILES = `${ROOT}/static/`;
const ADDRESSES = new RegExp(`${FILES}[\\w./-]+\\.(?:css|js|png|svg|woff2|webmanifest)(?:\\?v=\\w+)?`, 'g');

self.addEventListener('install', (event) => event.waitUntil(fill()));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin) return;
  if (request.mode === 'navigate' && PAGES.includes(pathname)) event.respondWith(page(event, pathname));
  else if (pathname.startsWith(FILES)) event.respondWith(file(request));
});

/** Open the chat at the talk of a notification, in a tab that has it if there is one. */
self.addEventListener('notificationclick', (event) => {
  const { notification } = event;
  notification.close();
  const [kind, name] = notification.data.split(/:(.*)/s);
  const address = `${ROOT}/chat#${new URLSearchParams({ [kind]: name })}`;
  event.waitUntil(
    self.clients.matchAll({ type: 'window' }).then((tabs) => {
      const tab = tabs.find(({ url }) => new URL(url).pathname === `${ROOT}/chat`);
      return tab ? tab.focus().then(() => tab.navigate(address)) : self.clients.openWindow(address);
    }),
  );
});

/** Keep every page and what it needs, so that also one that nobody has opened yet is there. */
async function fill() {
  const cache = await caches.open(CACHE);
  for (const path of PAGES) await keep(cache, path, await fetch(path, { cache: 'no-cache' }));
  await forget(cache);
  await self.skipWaiting();
}

async function page(event, path) {
  const cache = await caches.open(CACHE);
  const asked = fetch(event.request);
  // The answer is a stream that the page reads while it is kept.
  event.waitUntil(asked.then((answer) => renew(cache, path, answer.clone())).catch(() => {}));
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
  const first = await Promise.race([asked, late]).catch(() => undefined);
  if (first && !AWAY.includes(first.status)) return first;
  return (await cache.match(path)) ?? first ?? asked;
}

/** Keep the page if it is another one than before. */
async function renew(cache, path, answer) {
  const before = await cache.match(path);
  if (before && before.headers.get('ETag') === answer.headers.get('ETag')) return;
  await keep(cache, path, answer);
  await forget(cache);
}

async function keep(cache, path, answer) {
  if (!answer.ok) return;
  for (const address of await addressesIn(answer.clone())) {
    const known = await cache.match(address);
    if (known) continue;
    const came = await fetch(address);
    if (!came.ok) return; // of another version: the page that is kept stays
    for (const inner of await neededBy(address, came.clone())) {
      if (!(await cache.match(inner))) await cache.add(inner);
    }
    await cache.put(address, came);
  }
  await cache.put(path, answer);
}

/** Drop the files that no page in the cache needs any more. */
async function forget(cache) {
  const needed = new Set(PAGES);
  for (const path of PAGES) {
    for (const address of await addressesIn(await cache.match(path))) {
      needed.add(address);
      for (const inner of await neededBy(address, await cache.match(address))) needed.add(inner);
    }
  }
  for (const request of await cache.keys()) {
    const { pathname, search } = new URL(request.url);
    if (!needed.has(pathname + search)) await cache.delete(request);
  }
}

/** What a file names and needs: a style sheet its pictures and letters, a bundle of scripts the one that comes later. */
async function neededBy(address, answer) {
  if (!/[.](?:css|js)/.test(address)) return [];
  const named = await addressesIn(answer);
  return address.includes('.css') ? named : [...named].filter((inner) => inner.startsWith(`${FILES}bundle/`));
}

async function addressesIn(answer) {
  return answer ? new Set((await answer.text()).match(ADDRESSES)) : [];
}

/** A file with a version is the same for ever; any other may have changed. */
async function file(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.url);
  if (kept && /[?]v=|\/bundle\//.test(request.url)) return kept;
  return fetch(request).catch((error) => {
    if (kept) return kept;
    throw error;
  });
}
