// Where one's edits are, told truly: on this device only, on their way, or on the server's disk.
//
// "Saved" means that the server has said it holds our heads. The server answers only after the change is synced to disk,
// so the word is as true as that; a frame merely sent does not count.

import type { DocHandle, Repo, StorageId } from "@automerge/automerge-repo/slim"
import type { TableDoc } from "./schema"

export type State = "connecting" | "saving" | "saved" | "offline"

export interface Status {
  state: State
  /** Whether this device has stored every edit. "no": the browser refuses, and edits made offline live as long as the window. */
  kept: "yes" | "pending" | "no"
}

export class StatusWatch {
  #status: Status = { state: "connecting", kept: "yes" }
  #server: { peer: string; storage: StorageId | undefined } | null = null
  #everConnected = false
  #failed = false
  #keeping = 0
  #listeners = new Set<(status: Status) => void>()

  constructor(
    private readonly repo: Repo,
    private readonly handle: DocHandle<TableDoc>,
    socket: EventTarget,
  ) {
    repo.networkSubsystem.on("peer", ({ peerId, peerMetadata }) => {
      this.#server = { peer: peerId, storage: peerMetadata?.storageId }
      this.#everConnected = true
      this.#look()
    })
    repo.networkSubsystem.on("peer-disconnected", ({ peerId }) => {
      if (this.#server?.peer === peerId) this.#server = null
      this.#look()
    })
    socket.addEventListener("failed", () => {
      this.#failed = true
      this.#look()
    })
    handle.on("remote-heads", () => this.#look())
    handle.on("heads-changed", () => {
      this.#look()
      void this.#keep()
    })
    const peer = repo.peers[0]
    if (peer) this.#server = { peer, storage: repo.getStorageIdOfPeer(peer) }
    this.#everConnected = this.#server !== null
    this.#look()
  }

  get status(): Status {
    return this.#status
  }

  get online(): boolean {
    return this.#server !== null
  }

  subscribe(listener: (status: Status) => void): void {
    this.#listeners.add(listener)
    listener(this.#status)
  }

  #look(): void {
    this.#set({ ...this.#status, state: this.#state() })
  }

  #state(): State {
    if (!this.#server) return this.#everConnected || this.#failed ? "offline" : "connecting"
    const theirs = this.#server.storage && this.handle.getSyncInfo(this.#server.storage)?.lastHeads
    if (!theirs) return "saving"
    return this.handle.heads().every(head => theirs.includes(head)) ? "saved" : "saving"
  }

  /** Waits until the device has stored the edits, so that "kept on this device" is not a hope. */
  async #keep(): Promise<void> {
    const turn = ++this.#keeping
    if (this.#status.kept === "yes") this.#set({ ...this.#status, kept: "pending" })
    const kept = await this.repo.flush([this.handle.documentId]).then(
      () => "yes" as const,
      () => "no" as const,
    )
    // An edit made meanwhile has a turn of its own, and only the last one knows about all of them.
    if (turn === this.#keeping) this.#set({ ...this.#status, kept })
  }

  #set(status: Status): void {
    if (status.state === this.#status.state && status.kept === this.#status.kept) return
    this.#status = status
    for (const listener of this.#listeners) listener(status)
  }
}
