// The client of today: automerge-repo 2.5.6 on automerge 3.5.0.

import * as Automerge from "@automerge/automerge"
import * as repo from "@automerge/automerge-repo"
import { WebSocketClientAdapter } from "@automerge/automerge-repo-network-websocket"

export { MessageChannelNetworkAdapter } from "@automerge/automerge-repo-network-messagechannel"
export { Presence } from "@automerge/automerge-repo"

export const generation = {
  version: "2.5.6",
  Automerge,
  Repo: repo.Repo,
  StorageAdapter: repo.StorageAdapter,
  WebSocketAdapter: WebSocketClientAdapter,
  /** A string that is one value and not a text. */
  scalar: value => new Automerge.ImmutableString(value),
  doc: handle => handle.doc(),
  /** The handle as soon as its document is there; an error if nobody has it. */
  find: (repo, address) => repo.find(address),
  /** The heads a storage was last known to have, as hex; undefined if nothing is known of it. */
  headsAt(handle, storageId) {
    const known = handle.getSyncInfo(storageId)
    return known && repo.decodeHeads(known.lastHeads)
  },
}
