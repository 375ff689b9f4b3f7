// Lets the page open while the server is away: an edit made offline survives a reload only if the page itself does.
//
// Files under /assets/ never change under their name, so the copy kept here is as good as the server's. Everything else
// is asked of the server first. Data never goes through here: it is in IndexedDB and on the socket.

export {}

declare const self: ServiceWorkerGlobalScope
/** Filled in by the build: the addresses to keep, and a name that changes with them. */
declare const KEEP: string[]
declare const VERSION: string

self.addEventListener("install", event => {
  event.waitUntil(
    caches
      .open(VERSION)
      .then(cache => cache.addAll(KEEP))
      .then(() => self.skipWaiting()),
  )
})

self.addEventListener("activate", event => {
  event.waitUntil(
    caches
      .keys()
      .then(names => Promise.all(names.filter(name => name !== VERSION).map(name => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

self.addEventListener("fetch", event => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== "GET" || url.origin !== self.location.origin || !KEEP.includes(url.pathname)) return
  const kept = () => caches.match(url.pathname)
  if (url.pathname.startsWith("/assets/")) {
    event.respondWith(kept().then(answer => answer ?? fetch(request)))
  } else {
    event.respondWith(fetch(request).catch(async () => (await kept()) ?? Response.error()))
  }
})
