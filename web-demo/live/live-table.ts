// A table over the live door: a WebSocket and JSON. This file, with rows.ts, users.ts, outbox.ts, ids.ts and the types of
// protocol.ts, is all that a front end needs; it knows nothing of this page.
//
//   const table = newLiveTable("wss://…/live", { userId: "u1", userName: "Ada", deviceId: "d1" }, tableId)
//   table.changed = () => draw(table.columns, table.view.rows, table.users)
//   table.edit({ type: "update", recordId, changes: [{ fieldId, oldValue, newValue }] })   // shown at once
//   table.show("cursor_position", { recordId, fieldId })

import { backoff, hex, newChangeId, setClock } from "./ids"
import { MAX_CHANGES, newOutbox } from "./outbox"
import type { Change, Column, Edit, Heard, Message, Refusal, Spot, User } from "./protocol"
import { apply, LIMIT, preview, windowFor, type Held } from "./rows"
import { isSame, meet } from "./users"
import { text } from "./values"

/** What one shows of oneself, by the message that says so. */
export interface Shown {
  cursor_position: { cursor: Spot | null }
  selection: { selection: { from: Spot; to: Spot } | null }
  typing: { cell: (Spot & { text: string }) | null }
}

/** How long a server may take to open the door, or to find its disk again, and how long after one message of presence the next may follow. */
const PATIENCE_MS = 10_000
const PRESENCE_MS = 100

/** Refusals that pass: the edit is sent again, later where somebody has to look after the server's disk. */
const PASSING = /busy|confirmed|read|saved/
const STORELESS = /read|saved/

export type LiveTable = ReturnType<typeof newLiveTable>

export function newLiveTable(
  url: string,
  me: { userId: string; userName: string; deviceId: string },
  /** An id, an `automerge:` address or `base/name`; the id, once the server has said it. */
  tableId: string,
  viewId?: string,
) {
  let wire: WebSocket | undefined
  /** Of the next attempt, of the answer to it, and then of the heartbeat. */
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Heartbeats since anything was heard. */
  let unanswered = 0

  let held: Held = { offset: 0, rows: [], count: 0 }
  /** Of what is held. */
  let seen: string | undefined
  let wanted = 0
  /** The first row of the window that was asked for, until its snapshot is there; then below 0. */
  let asked = 0

  const outbox = newOutbox(localStorage)
  /** What went out over this connection. */
  const sent = new Set<string>()
  /** Edits made without a connection are under way; those made now wait behind them. */
  let syncing = false
  /** What went out together last, and how much may the next time. */
  let part: Edit[] = []
  let most = MAX_CHANGES
  /** The server could not take an edit just now: all wait, so that none overtakes another. */
  let pausing: ReturnType<typeof setTimeout> | undefined

  const shown: Partial<Shown> = {}
  let said: Record<string, string> = {}
  let saying: ReturnType<typeof setTimeout> | undefined

  const table = {
    me,
    tableId,
    viewId,
    /** Whether what is shown is what is there. */
    online: false,
    /** Attempts to connect, since it was, that came to nothing; the end of the connection counts as one. */
    failures: 0,
    title: "",
    columns: [] as Column[],
    /** Everybody else. */
    users: [] as User[],
    color: 0,
    /** Something is to be drawn anew. */
    changed: (): void => {},
    /** The server has told what these cells hold. */
    came: (_changes: readonly Change[]): void => {},
    /** To be shown to the person: an edit was refused, or met somebody else's. */
    told: (_text: string, _stays = false): void => {},
    /** The rows at hand, as they will be once the server has one's own edits. */
    get view(): Held {
      return preview(held, outbox.unseen())
    },
    /** How many edits the server has not yet said to have on its disk. */
    get waiting(): number {
      return outbox.waiting().length
    },
    edit,
    look,
    follow,
    show,
  }

  // ---- what one does

  /** Shown at once; kept until the server has it. */
  function edit(wish: Omit<Edit, "changeId" | "tableId">): void {
    const { tableId } = table
    const edit: Edit = { changeId: newChangeId(), tableId, ...wish }
    // Before the first snapshot it is not known which table that is.
    if (!seen) return
    edit.base = outbox.baseOf(edit, seen)
    try {
      outbox.add(edit)
    } catch {
      return table.told("No room: too long or too many.")
    }
    sync(edit)
    table.changed()
  }

  /** The rows from `first` to `last` are on the screen: the window follows, one snapshot at a time. */
  function look(first: number, last: number): void {
    wanted = windowFor(first, last, wanted)
    ask()
  }

  function follow(viewId?: string): void {
    table.viewId = viewId
    wanted = 0
    subscribe()
  }

  /** Tells the others where one is and what one types, at most ten times a second. */
  function show<C extends keyof Shown>(channel: C, what: Shown[C]): void {
    shown[channel] = what
    saying ??= setTimeout(say, PRESENCE_MS)
  }

  // ---- the connection

  function connect(): void {
    if (wire) return
    clearTimeout(timer)
    timer = setTimeout(lose, PATIENCE_MS)
    const socket = (wire = new WebSocket(url))
    socket.onopen = authenticate
    socket.onmessage = ({ data }) => socket === wire && hear(JSON.parse(data) as Message)
    socket.onclose = ({ code }) => {
      if (socket !== wire) return
      // Another window is this device: a duplicated tab has a copy of its storage. This one becomes a device of its own.
      if (code === 4409) me.deviceId = hex(8)
      if (code === 1009) fewer("too large")
      lose()
    }
  }

  /** The connection is gone, or as good as: nothing is lost, and it is tried again. */
  function lose(): void {
    wire?.close()
    wire = undefined
    syncing = false
    sent.clear()
    said = {}
    table.online = false
    clearTimeout(timer)
    timer = setTimeout(connect, backoff(table.failures++))
    table.changed()
  }

  /** A connection may be dead without a word: two answers missed, and it counts as lost. */
  function beat(): void {
    if (++unanswered > 2) lose()
    else send("heartbeat", table.online ? { tableId: table.tableId } : {})
  }

  function send(type: string, data: object): void {
    if (wire?.readyState === 1) wire.send(text({ type, data }))
  }

  function authenticate(): void {
    const { deviceId, ...user } = me
    send("authenticate", { user, deviceId })
  }

  function hear(message: Message): void {
    unanswered = 0
    table.users = meet(table.users, message).filter(user => !isSame(user, me))
    ;(on[message.type] as ((data: object) => void) | undefined)?.(message.data)
    table.changed()
  }

  /** What to do with each message, apart from who is there. */
  const on: { [T in keyof Heard]?: (data: Heard[T]) => void } = {
    authenticated: ({ color, heartbeatMs, serverTime }) => {
      setClock(serverTime)
      clearTimeout(timer)
      timer = setInterval(beat, heartbeatMs)
      table.color = color
      if (asked < 0) subscribe("recover_connection", held.offset, seen)
      else subscribe()
    },
    table_snapshot: ({ tableId, rows, rowCount: count, window: { offset }, version, title, columns }) => {
      held = { offset, rows, count }
      if (!seen) outbox.load(tableId)
      seen = version
      Object.assign(table, { tableId, title, columns })
      outbox.meet([])
      // One that was not asked for comes when so much has changed that it is simpler, and when something is recovered.
      const isAnswer = asked === offset
      if (isAnswer) asked = -1
      if (isAnswer || table.online) ready()
    },
    record_change: data => step({ ...data, changes: [data] }),
    batch_changes: step,
    missed_events: step,
    connection_recovered: ready,
    change_accepted: ({ changeId, merged }) => answered([changeId], merged),
    change_rejected: refusal => answered([], false, [refusal]),
    offline_sync_complete: ({ applied, merged, rejected }) => {
      syncing = false
      most = MAX_CHANGES
      answered([...applied, ...merged], merged.length > 0, rejected)
    },
    // What happens outside of the window says nothing else.
    heartbeat_ack: ({ version }) => {
      // A connection that has lived so long was one.
      table.failures = 0
      step({ changes: [], version })
    },
    error: ({ code, message, about = "" }) => {
      // A snapshot follows by itself.
      if (code === "unknown-version") return
      if (code === "busy") return lose()
      if (/sync|record/.test(about)) {
        fewer(message)
        syncing = false
        sent.clear()
        return sync()
      }
      table.told(message)
      // The view is gone, or never was: the table without it.
      if (table.viewId && code === "not-found") table.follow()
      else if (/^sub|^rec/.test(about)) {
        table.title = message
        table.online = false
      }
    },
  }

  /** All that was missed is there: now what was done meanwhile goes out, and where one is. */
  function ready(): void {
    table.online = true
    sync()
    say()
    ask()
  }

  // ---- the rows

  function subscribe(type = "subscribe_to_table", offset = (asked = wanted), lastVersion?: string): void {
    const { tableId, viewId } = table
    send(type, { tableId, viewId, window: { offset, limit: LIMIT }, lastVersion })
  }

  function ask(): void {
    if (table.online && asked < 0 && wanted !== held.offset) subscribe()
  }

  function step({ changes, rowCount, version, columns, title }: Heard["batch_changes"]): void {
    held = apply(held, changes, rowCount)
    seen = version ?? seen
    table.columns = columns ?? table.columns
    table.title = title ?? table.title
    outbox.meet(changes)
    table.came(changes)
  }

  // ---- one's own edits

  /** Sends what has not gone out over this connection, some at a time, until nothing is left. */
  function sync(made?: Edit): void {
    const next = outbox.next(sent, most)
    if (syncing || pausing || !table.online || !next[0]) return
    const changes = (part = outbox.take(next))
    for (const { changeId } of changes) sent.add(changeId)
    const [first] = changes
    if (!first) return
    syncing = changes.length > 1 || first.changeId !== made?.changeId
    if (syncing) return send("sync_offline_changes", { changes })
    // Which values were there the server can compare. Who deletes a row names none.
    if (first.type !== "delete") delete first.base
    send("record_change", first)
  }

  function answered(accepted: string[], wasMerged = false, rejected: Refusal[] = []): void {
    accepted.forEach(outbox.accept)
    if (wasMerged) table.told("Somebody wrote here too: both are kept.")
    for (const refusal of rejected) {
      const { changeId, code, message } = refusal
      // Of too much together each is tried alone.
      if (code === "too-large" && part[1]) most = 1
      // What follows an edit of the same row without an answer was judged without it.
      if (PASSING.test(code) || most === 1 || outbox.isBehind(changeId)) {
        sent.delete(changeId)
        pausing ??= setTimeout(resume, STORELESS.test(code) ? PATIENCE_MS : backoff(1))
      } else if (code === "key-expired") setAside(refusal, "maybe saved")
      else {
        outbox.drop(changeId)
        table.told(`Not saved: ${message}`)
      }
    }
    sync()
  }

  function resume(): void {
    pausing = undefined
    sync()
  }

  /** Of what went out nothing was done: less at a time, until the one edit is found that the server does not take. */
  function fewer(why: string): void {
    if (syncing && !part[1]) setAside(part[0]!, why)
    most = part.length >> 1 || 1
  }

  /** It cannot be sent again, and it is not for this page to say that it is not needed. */
  function setAside({ changeId }: { changeId: string }, why: string): void {
    const values = outbox.drop(changeId, true)?.changes?.map(({ newValue }) => newValue)
    table.told(`Set aside, ${why}: ${values}`, true)
  }

  // ---- the people

  function say(): void {
    clearTimeout(saying)
    saying = undefined
    if (!table.online) return
    for (const [channel, what] of Object.entries(shown)) {
      const now = text(what)
      if (now !== said[channel]) send(channel, { tableId: table.tableId, ...what })
      said[channel] = now
    }
  }

  addEventListener("online", connect)
  addEventListener("offline", lose)
  connect()
  return table
}
