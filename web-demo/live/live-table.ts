// A table over the live door: a WebSocket and JSON. This file, with rows.ts, users.ts, outbox.ts, ids.ts and the types of
// protocol.ts, is all that a front end needs; it knows nothing of this page.
//
//   const table = new LiveTable("wss://…/live", { userId: "u1", userName: "Ada", deviceId: "d1" }, tableId)
//   table.changed = () => draw(table.columns, table.view.rows, table.users)
//   table.edit({ type: "update", recordId, changes: [{ fieldId, oldValue, newValue }] })   // shown at once
//   table.show("cursor_position", { recordId, fieldId })

import { backoff, hex, newChangeId } from "./ids"
import { Outbox } from "./outbox"
import type { Change, Column, Edit, Heard, Message, Refusal, Spot, User } from "./protocol"
import { apply, LIMIT, preview, windowFor, type Held } from "./rows"
import { isSame, meet } from "./users"

/** What one shows of oneself, by the message that says so. */
export interface Shown {
  cursor_position: { cursor: Spot | null }
  selection: { selection: { from: Spot; to: Spot } | null }
  typing: { cell: (Spot & { text: string }) | null }
}

/** How long a server may take to open the door, and how long after one message of presence the next may follow. */
const ANSWER_MS = 10_000
const PRESENCE_MS = 100

/** Refusals that pass: the edit is sent again. */
const PASSING = /busy|not-confirmed/

export class LiveTable {
  /** Whether what is shown is what is there. */
  online = false
  /** Attempts to connect, since it was, that came to nothing; the end of the connection counts as one. */
  failures = 0
  title = ""
  columns: Column[] = []
  /** Everybody else. */
  users: User[] = []
  color = 0

  /** Something is to be drawn anew. */
  changed = (): void => {}
  /** The server has told what these cells hold. */
  came = (_changes: readonly Change[]): void => {}
  /** To be shown to the person: an edit was refused, or met somebody else's. */
  told = (_text: string): void => {}

  #socket: WebSocket | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Heartbeats since anything was heard. */
  #unanswered = 0

  #held: Held = { offset: 0, rows: [], count: 0 }
  /** Of what is held. */
  #version: string | undefined
  #wanted = 0
  /** The first row of the window that was asked for, until its snapshot is there. */
  #asked: number | undefined = 0

  #outbox = new Outbox(localStorage)
  /** What went out over this connection. */
  #sent = new Set<string>()
  /** Edits made without a connection are under way; those made now wait behind them. */
  #syncing = false

  #shown: Partial<Shown> = {}
  #said: Record<string, string> = {}
  #saying: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly url: string,
    readonly me: { userId: string; userName: string; deviceId: string },
    /** An id, an `automerge:` address or `base/name`; the id, once the server has said it. */
    public tableId: string,
    public viewId?: string,
  ) {
    addEventListener("online", () => this.#connect())
    addEventListener("offline", () => this.#lose())
    setInterval(() => this.#beat(), 15_000)
    this.#connect()
  }

  // ---- what is there

  /** The rows at hand, as they will be once the server has one's own edits. */
  get view(): Held {
    return preview(this.#held, this.#outbox.unseen)
  }

  /** How many edits the server has not yet said to have on its disk. */
  get waiting(): number {
    return this.#outbox.waiting.length
  }

  // ---- what one does

  /** Shown at once; kept until the server has it. */
  edit(wish: Omit<Edit, "changeId" | "tableId">): void {
    const edit: Edit = { changeId: newChangeId(), tableId: this.tableId, ...wish }
    // Without a connection the server cannot know what was on the screen.
    if (!this.online && this.#version) edit.base = this.#version
    try {
      this.#outbox.add(edit)
    } catch {
      return this.told("No room for more edits.")
    }
    if (this.online && !this.#syncing) {
      this.#sent.add(edit.changeId)
      this.#send("record_change", edit)
    }
    this.changed()
  }

  /** The rows from `first` to `last` are on the screen: the window follows, one snapshot at a time. */
  look(first: number, last: number): void {
    this.#wanted = windowFor(first, last, this.#wanted)
    this.#ask()
  }

  follow(viewId?: string): void {
    this.viewId = viewId
    this.#wanted = 0
    this.#subscribe()
  }

  /** Tells the others where one is and what one types, at most ten times a second. */
  show<C extends keyof Shown>(channel: C, what: Shown[C]): void {
    this.#shown[channel] = what
    this.#saying ??= setTimeout(() => this.#say(), PRESENCE_MS)
  }

  // ---- the connection

  #connect(): void {
    if (this.#socket) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#lose(), ANSWER_MS)
    const socket = (this.#socket = new WebSocket(this.url))
    socket.onopen = () => this.#authenticate()
    socket.onmessage = ({ data }) => socket === this.#socket && this.#hear(JSON.parse(data) as Message)
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return
      // Another window is this device: a duplicated tab has a copy of its storage. This one becomes a device of its own.
      if (code === 4409) this.me.deviceId = hex(8)
      this.#lose()
    }
  }

  /** The connection is gone, or as good as: nothing is lost, and it is tried again. */
  #lose(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.close()
    this.#unanswered = 0
    this.#syncing = false
    this.#sent.clear()
    this.#said = {}
    this.online = false
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#connect(), backoff(this.failures++))
    this.changed()
  }

  /** A connection may be dead without a word: two answers missed, and it counts as lost. */
  #beat(): void {
    if (!this.online) return
    if (++this.#unanswered > 2) this.#lose()
    else this.#send("heartbeat", { tableId: this.tableId })
  }

  #send(type: string, data: object): void {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify({ type, data }))
  }

  #authenticate(): void {
    const { deviceId, ...user } = this.me
    this.#send("authenticate", { user, deviceId })
  }

  #hear(message: Message): void {
    this.#unanswered = 0
    this.users = meet(this.users, message).filter(user => !isSame(user, this.me))
    ;(this.#on[message.type] as ((data: object) => void) | undefined)?.(message.data)
    this.changed()
  }

  /** What to do with each message, apart from who is there. */
  #on: { [T in keyof Heard]?: (data: Heard[T]) => void } = {
    authenticated: ({ color }) => {
      clearTimeout(this.#timer)
      this.color = color
      const { tableId, viewId } = this
      const { offset } = this.#held
      if (this.#asked !== undefined) this.#subscribe()
      else this.#send("recover_connection", { tableId, viewId, window: { offset, limit: LIMIT }, lastVersion: this.#version })
    },
    table_snapshot: ({ tableId, rows, rowCount: count, window: { offset }, version, title, columns }) => {
      this.#held = { offset, rows, count }
      if (!this.#version) this.#outbox.load(tableId)
      this.#version = version
      Object.assign(this, { tableId, title, columns })
      this.#outbox.meet([])
      // One that was not asked for comes when so much has changed that it is simpler, and when something is recovered.
      const isAnswer = this.#asked === offset
      if (isAnswer) this.#asked = undefined
      if (isAnswer || this.online) this.#ready()
    },
    record_change: data => this.#step({ ...data, changes: [data] }),
    batch_changes: data => this.#step(data),
    missed_events: data => this.#step(data),
    connection_recovered: () => this.#ready(),
    change_accepted: ({ changeId, merged }) => this.#answered([changeId], merged),
    change_rejected: refusal => this.#answered([], false, [refusal]),
    offline_sync_complete: ({ applied, merged, rejected }) => {
      this.#answered([...applied, ...merged], merged.length > 0, rejected)
      this.#syncing = false
      this.#sync()
    },
    // What happens outside of the window says nothing else.
    heartbeat_ack: ({ version }) => this.#step({ changes: [], version }),
    error: ({ code, message, about = "" }) => {
      // A snapshot follows by itself.
      if (code === "unknown-version") return
      if (code === "busy") return this.#lose()
      this.told(message)
      // The view is gone, or never was: the table without it.
      if (this.viewId && code === "not-found") this.follow()
      else if (/subs|recov/.test(about)) this.title = message
    },
  }

  /** All that was missed is there: now what was done meanwhile goes out, and where one is. */
  #ready(): void {
    this.failures = 0
    this.online = true
    this.#sync()
    this.#say()
    this.#ask()
  }

  // ---- the rows

  #subscribe(): void {
    const { tableId, viewId } = this
    const offset = (this.#asked = this.#wanted)
    this.#send("subscribe_to_table", { tableId, viewId, window: { offset, limit: LIMIT } })
  }

  #ask(): void {
    if (this.online && this.#asked === undefined && this.#wanted !== this.#held.offset) this.#subscribe()
  }

  #step({ changes, rowCount, version, columns, title }: Heard["batch_changes"]): void {
    this.#held = apply(this.#held, changes, rowCount)
    this.#version = version ?? this.#version
    this.columns = columns ?? this.columns
    this.title = title ?? this.title
    this.#outbox.meet(changes)
    this.came(changes)
  }

  // ---- one's own edits

  /** Sends what has not gone out over this connection, some at a time, until nothing is left. */
  #sync(): void {
    const changes = this.#outbox.next(this.#sent)
    if (changes.length === 0 || this.#syncing || !this.online) return
    this.#syncing = true
    for (const { changeId } of changes) this.#sent.add(changeId)
    this.#send("sync_offline_changes", { changes })
  }

  #answered(accepted: string[], wasMerged = false, rejected: Refusal[] = []): void {
    for (const changeId of accepted) this.#outbox.accept(changeId)
    if (wasMerged) this.told("Somebody else changed this cell too: both edits are kept.")
    for (const { changeId, code, message } of rejected) {
      if (PASSING.test(code)) {
        setTimeout(() => this.#sent.delete(changeId) && this.#sync(), backoff(1))
        continue
      }
      this.#outbox.drop(changeId)
      this.told(`Not saved: ${message}`)
    }
  }

  // ---- the people

  #say(): void {
    clearTimeout(this.#saying)
    this.#saying = undefined
    if (!this.online) return
    for (const [channel, what] of Object.entries(this.#shown)) {
      const text = JSON.stringify(what)
      if (text !== this.#said[channel]) this.#send(channel, { tableId: this.tableId, ...what })
      this.#said[channel] = text
    }
  }
}
