// The protocol by hand, for what the real client would never send: one WebSocket and CBOR frames.

import { EventEmitter } from "node:events"
import { randomUUID } from "node:crypto"
import { decode, Encoder } from "cbor-x"
import WebSocket from "ws"
import { until, within } from "./deadline.mjs"
import { v2 } from "./client.mjs"
import { generateAutomergeUrl, parseAutomergeUrl } from "@automerge/automerge-repo"

export { WebSocket }

// As the client encodes: plain byte strings, and objects as maps with a length of 16 bits.
const cbor = new Encoder({ tagUint8Array: false, useRecords: false })

export const encode = value => cbor.encode(value)

/** The first sync message of somebody who has nothing, as the client sends it. */
export const EMPTY_SYNC = Buffer.from("42000001000000020284", "hex")

/** The id of a document that nobody has. */
export const unknownId = () => parseAutomergeUrl(generateAutomergeUrl()).documentId

export class RawPeer extends EventEmitter {
  #count = 0
  #unread = []
  sessionId = randomUUID()
  serverId = "unknown"

  /** Options are those of `ws`: `headers`, `autoPong`, ... */
  constructor(url, peerId, options = {}) {
    super()
    this.peerId = peerId
    this.socket = new WebSocket(url, options)
    this.opened = new Promise((resolve, reject) => {
      this.socket.once("open", resolve)
      this.socket.once("error", reject)
    })
    // A refused upgrade is an expected end in some stories; those who care wait for `opened`.
    this.opened.catch(() => {})
    this.closing = new Promise(resolve => this.socket.once("close", (code, reason) => resolve({ code, reason })))
    this.socket.on("message", data => {
      this.#unread.push(decode(data))
      this.emit("frame")
    })
    this.socket.on("close", () => this.emit("frame"))
  }

  /** An open socket that did not join yet; it goes with test `t`. */
  static async open(t, url, peerId = `raw-${randomUUID().slice(0, 8)}`, options) {
    const peer = new RawPeer(url, peerId, options)
    t.after(() => peer.socket.terminate())
    await within(`${peerId} opens a socket`, peer.opened)
    return peer
  }

  /** A socket whose handshake is done. */
  static async join(t, url, peerId, options) {
    const peer = await RawPeer.open(t, url, peerId, options)
    await peer.join()
    return peer
  }

  async join(fields = {}) {
    this.send({
      type: "join",
      senderId: this.peerId,
      peerMetadata: { storageId: undefined, isEphemeral: true },
      supportedProtocolVersions: ["1"],
      ...fields,
    })
    const answer = await this.next("the answer to join", frame => frame.type === "peer")
    this.serverId = answer.senderId
    return answer
  }

  send(message) {
    this.socket.send(encode(message))
  }

  sendBytes(bytes) {
    this.socket.send(bytes, { binary: true })
  }

  sendText(text) {
    this.socket.send(text, { binary: false })
  }

  /** Sends a message about a document. */
  sendOf(type, documentId, fields = {}) {
    this.send({ type, senderId: this.peerId, targetId: this.serverId, documentId, ...fields })
  }

  request(documentId, fields = {}) {
    this.sendOf("request", documentId, { data: EMPTY_SYNC, ...fields })
  }

  /** Opens a document that the server has, so that its messages come here too. */
  async subscribe(documentId) {
    this.request(documentId)
    return this.next("the document", frame => frame.type === "sync" && frame.documentId === documentId)
  }

  /** Sends an ephemeral message with `value` for its payload. */
  broadcast(documentId, value, fields = {}) {
    this.sendOf("ephemeral", documentId, {
      count: ++this.#count,
      sessionId: this.sessionId,
      data: encode(value),
      ...fields,
    })
  }

  /** The next frame that `accepts` takes, come or still to come; it is taken out of what is unread. */
  async next(what, accepts, milliseconds) {
    const take = () => {
      const index = this.#unread.findIndex(accepts)
      if (index >= 0) return this.#unread.splice(index, 1)[0]
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`${this.peerId}: socket closed before ${what}`)
    }
    return until(`${this.peerId} gets ${what}`, take, [[this, "frame"]], milliseconds)
  }

  /** What came and was not taken yet. */
  unread(accepts = () => true) {
    return this.#unread.filter(accepts)
  }

  /** Asks for a document nobody has. The answer shows that the socket lives and that what was sent before was read. */
  async stillServed() {
    const documentId = unknownId()
    this.request(documentId)
    const about = frame => frame.documentId === documentId
    const answer = frame => about(frame) && frame.type === "doc-unavailable"
    await this.next("the answer to a request after all that", answer)
    this.#unread = this.#unread.filter(frame => !about(frame))
  }

  /** Waits for the end of the socket; returns the close code. */
  async closed(what) {
    const { code } = await within(`${this.peerId}: ${what}`, this.closing)
    return code
  }
}

/** A sync message made by hand. */
export function syncMessage({ heads = [], changes = [] }) {
  const have = [{ lastSync: [], bloom: new Uint8Array() }]
  return v2.Automerge.encodeSyncMessage({ heads, need: [], have, changes })
}
