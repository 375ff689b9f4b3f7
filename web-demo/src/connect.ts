// The repository of this window: the plain WebSocket adapter to the server it came from, and IndexedDB on this device.

import { initializeWasm, Repo } from "@automerge/automerge-repo/slim"
import { WebSocketClientAdapter } from "@automerge/automerge-repo-network-websocket"
import { IndexedDBStorageAdapter } from "@automerge/automerge-repo-storage-indexeddb"
// esbuild copies the file beside the script under a hashed name and gives its address.
import wasmUrl from "@automerge/automerge/automerge.wasm"

const RETRY_MS = 1500

export interface Connection {
  repo: Repo
  /** Emits `failed` whenever an attempt to reach the server came to nothing. */
  attempts: EventTarget
}

export async function connect(): Promise<Connection> {
  await initializeWasm(new Request(wasmUrl))
  const url = new URL("/sync", location.href)
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
  const attempts = new EventTarget()
  const adapter = new WebSocketClientAdapter(url.href, RETRY_MS)
  // The adapter tells nobody when it cannot connect, and a page that says "Connecting" for ever lies.
  const closed = adapter.onClose
  adapter.onClose = () => {
    attempts.dispatchEvent(new Event("failed"))
    closed()
  }
  const repo = new Repo({ network: [adapter], storage: new IndexedDBStorageAdapter("roundtable"), saveDebounceRate: 50 })
  return { repo, attempts }
}
