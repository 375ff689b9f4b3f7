// The client of 2024: automerge-repo 1.2.1 on automerge 2.2.9.

import { next as Automerge } from "@automerge/automerge"
import * as repo from "@automerge/automerge-repo"
import { BrowserWebSocketClientAdapter } from "@automerge/automerge-repo-network-websocket"

export const generation = {
  version: "1.2.1",
  Automerge,
  Repo: repo.Repo,
  StorageAdapter: repo.StorageAdapter,
  WebSocketAdapter: BrowserWebSocketClientAdapter,
  /** A string that is one value and not a text. */
  scalar: value => new Automerge.RawString(value),
  doc: handle => handle.docSync(),
  /** The handle as soon as its document is there; an error if nobody has it. */
  async find(repo, address) {
    const handle = repo.find(address)
    await handle.whenReady(["ready", "unavailable"])
    if (handle.isUnavailable()) throw new Error(`Document ${handle.documentId} is unavailable`)
    return handle
  },
  /** The heads a storage was last known to have, as hex; undefined if nothing is known of it. */
  headsAt: (handle, storageId) => handle.getRemoteHeads(storageId),
}
