// One way to drive both generations of the real client: a person with a repo and a socket to the server.

import { generation as v1 } from "./v1/generation.mjs"
import { generation as v2, MessageChannelNetworkAdapter, Presence } from "./v2/generation.mjs"
import { event, until, within } from "./deadline.mjs"

export { v1, v2, Presence }

/** Who writes and who reads, in every combination of generations. */
export const PAIRS = [
  [v2, v2],
  [v1, v1],
  [v2, v1],
  [v1, v2],
]

/** Far beyond any story, and just below the limit above which a timer would fire at once. */
export const NEVER_MS = 2_000_000_000

/** Long enough that the client does not open a second socket while the first is still shaking hands. */
const RETRY_MS = 250

let born = 0

export class Client {
  /**
   * Options: `peerId`; `storage`: true for a storage in memory; `gossip`: whether heads of other storages are wanted;
   * `retry`: milliseconds between attempts to connect; `offline`: true to start without the network.
   */
  constructor(generation, url, { peerId, storage, gossip, retry = RETRY_MS, offline } = {}) {
    this.generation = generation
    this.peerId = peerId ?? `client-${generation.version}-${process.pid}-${++born}`
    this.adapter = new generation.WebSocketAdapter(url, retry)
    this.repo = new generation.Repo({
      peerId: this.peerId,
      network: offline ? [] : [this.adapter],
      storage: storage ? memoryStorage(generation) : undefined,
      enableRemoteHeadsGossiping: gossip ?? false,
    })
  }

  /** A client that takes part in test `t` and whose handshake with the server is done, unless it starts offline. */
  static async join(t, generation, url, options = {}) {
    const client = new Client(generation, url, options)
    t.after(() => client.stop())
    if (!options.offline) await client.connected()
    return client
  }

  /** Gives the network to a client that started offline. */
  goOnline() {
    this.repo.networkSubsystem.addNetworkAdapter(this.adapter)
    return this.connected()
  }

  /** Waits for the handshake; returns the server's peer id. */
  connected() {
    const network = this.repo.networkSubsystem
    const server = () => this.repo.peers.find(peer => peer === this.adapter.remotePeerId)
    return until(`${this.peerId} is connected`, server, [[network, "peer"]])
  }

  /** Waits until the client noticed that its socket is gone. */
  disconnected() {
    const network = this.repo.networkSubsystem
    const gone = () => !this.repo.peers.includes(this.adapter.remotePeerId)
    return until(`${this.peerId} lost its connection`, gone, [[network, "peer-disconnected"]])
  }

  /** The storage id that the server gave of itself. */
  get serverStorageId() {
    return this.repo.getStorageIdOfPeer(this.adapter.remotePeerId)
  }

  create(value) {
    return new Document(this, this.repo.create(value))
  }

  /** A document that the server is known to hold. */
  async publish(value) {
    const document = this.create(value)
    await document.heldBy()
    return document
  }

  /** A document that was asked for before, whether it was there or not. */
  known(id) {
    return new Document(this, this.repo.handles[id])
  }

  async find(address) {
    const found = this.generation.find(this.repo, address)
    return new Document(this, await within(`${this.peerId} finds ${address}`, found))
  }

  /** Cuts the socket without a farewell, as a lost network does. The client comes back after its retry time. */
  async cut() {
    const gone = this.disconnected()
    this.adapter.socket.terminate()
    await gone
  }

  /** Ends the client for good, again without a farewell. */
  stop() {
    const { adapter } = this
    adapter.connect = () => {}
    if (!adapter.socket) return
    adapter.socket.removeEventListener("close", adapter.onClose)
    adapter.socket.removeEventListener("message", adapter.onMessage)
    adapter.socket.removeEventListener("error", adapter.onError)
    adapter.socket.on("error", () => {})
    adapter.socket.terminate()
  }
}

/** A document as one client has it. */
export class Document {
  constructor(client, handle) {
    this.client = client
    this.handle = handle
  }

  get url() {
    return this.handle.url
  }

  get id() {
    return this.handle.documentId
  }

  /** The value as it is now; undefined while the client has none. */
  get value() {
    return this.handle.isReady() ? this.client.generation.doc(this.handle) : undefined
  }

  /** The heads as sorted hex, comparable between generations. */
  get heads() {
    return [...this.client.generation.Automerge.getHeads(this.value)].sort()
  }

  change(edit) {
    this.handle.change(edit)
  }

  /** Waits until the value is as `condition` wants it. */
  async until(what, condition, milliseconds) {
    const story = `${this.client.peerId}: ${what}`
    // A handle that was unavailable tells of its first heads a moment before it calls itself ready.
    await within(story, this.handle.whenReady(), milliseconds)
    return until(story, () => condition(this.value), [[this.handle, "heads-changed"]], milliseconds)
  }

  /** Whether the given storage is known to hold everything this client has. */
  isHeldBy(storageId) {
    const known = this.client.generation.headsAt(this.handle, storageId)
    return known !== undefined && sameHeads(known, this.heads)
  }

  /** Waits for the signal that a storage, by default the server's, holds everything this client has. */
  heldBy(storageId, milliseconds) {
    const what = `${this.client.peerId} is told that its edits are kept`
    const held = () => this.isHeldBy(storageId ?? this.client.serverStorageId)
    return until(what, held, [[this.handle, "remote-heads"]], milliseconds)
  }

  /** The next ephemeral message that `accepts` takes. */
  ephemeral(what, accepts) {
    return event(`${this.client.peerId}: ${what}`, this.handle, "ephemeral-message", accepts)
  }

  /** Collects the ephemeral messages from now on, as `[sender, message]`. */
  ephemerals() {
    const seen = []
    this.handle.on("ephemeral-message", ({ senderId, message }) => seen.push([senderId, message]))
    return seen
  }
}

/** Waits until all have the same heads. */
export function converged(what, documents, milliseconds) {
  const equal = () => documents.every(document => document.value && sameHeads(document.heads, documents[0].heads))
  return until(what, equal, documents.map(document => [document.handle, "heads-changed"]), milliseconds)
}

/** The value without what belongs to one generation of the library, for comparing across generations. */
export function plain(value) {
  if (value === null || typeof value !== "object") return value
  if (value instanceof Date) return { date: value.getTime() }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") }
  if (value instanceof v1.Automerge.Counter || value instanceof v2.Automerge.Counter) return { counter: value.value }
  if (value instanceof v1.Automerge.RawString || v2.Automerge.isImmutableString(value)) return { scalar: value.val }
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

/**
 * The recommended set-up of a browser: `tabs` repos that know only a worker, over message channels, and a worker's repo
 * with the one socket.
 */
export async function sharedWorker(t, url, tabs) {
  const worker = await Client.join(t, v2, url, { storage: true, retry: NEVER_MS })
  const clients = tabs.map(peerId => {
    const { port1, port2 } = new MessageChannel()
    worker.repo.networkSubsystem.addNetworkAdapter(new MessageChannelNetworkAdapter(port1))
    const repo = new v2.Repo({ peerId, network: [new MessageChannelNetworkAdapter(port2)] })
    t.after(() => [port1, port2].forEach(port => port.close()))
    return Object.assign(Object.create(Client.prototype), { generation: v2, peerId, repo })
  })
  const met = () => clients.every(({ peerId, repo }) => repo.peers.length && worker.repo.peers.includes(peerId))
  const meetings = [worker, ...clients].map(({ repo }) => [repo.networkSubsystem, "peer"])
  await until("worker and tabs know one another", met, meetings)
  return { worker, tabs: clients }
}

function sameHeads(left, right) {
  return left.length === right.length && left.every(head => right.includes(head))
}

function memoryStorage({ StorageAdapter }) {
  const chunks = new Map()
  const name = key => JSON.stringify(key)
  const under = prefix => [...chunks.values()].filter(({ key }) => prefix.every((part, i) => key[i] === part))
  return Object.assign(new (class extends StorageAdapter {})(), {
    load: async key => chunks.get(name(key))?.data,
    save: async (key, data) => void chunks.set(name(key), { key, data }),
    remove: async key => void chunks.delete(name(key)),
    loadRange: async prefix => under(prefix),
    removeRange: async prefix => under(prefix).forEach(({ key }) => chunks.delete(name(key))),
  })
}
