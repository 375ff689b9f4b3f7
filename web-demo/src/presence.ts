// Who else is here: automerge-repo's own Presence class with the channels `user`, `cursor`, `selection` and `typing`.
//
// Rows and columns go over the wire by id, never by number: the other window may have more rows, or other ones.

import { Presence as Channel, type DocHandle } from "@automerge/automerge-repo/slim"
import { COLORS, type Me } from "./person"
import type { TableDoc } from "./schema"

export interface Place {
  row: string
  column: string
}

interface State extends Record<string, unknown> {
  user: { id: string; name: string; color: number }
  cursor: Place | null
  selection: { from: Place; to: Place } | null
  typing: (Place & { text: string }) | null
}

export interface Person {
  /** One window of theirs. */
  peer: string
  id: string
  name: string
  color: number
  cursor: Place | null
  selection: { from: Place; to: Place } | null
  typing: (Place & { text: string }) | null
  /** We are offline, so this is what they did before; they may be gone. */
  away: boolean
}

/** What others may see of a cell while it is typed; a novel does not belong into a heartbeat. */
const MAX_DRAFT = 200

export class Presence {
  #channel: Channel<State>
  #state: State
  #away = true
  #listeners = new Set<() => void>()

  constructor(
    handle: DocHandle<TableDoc>,
    private me: Me,
  ) {
    this.#state = { user: userOf(me), cursor: null, selection: null, typing: null }
    this.#channel = new Channel<State>({ handle })
    const changed = () => {
      this.#avoidSameColor()
      this.#notify()
    }
    for (const event of ["update", "snapshot", "goodbye", "pruning"] as const) this.#channel.on(event, changed)
    // A page that goes says so: the server does too when the socket closes, but this one is there first.
    addEventListener("pagehide", () => this.#channel.stop())
    addEventListener("pageshow", event => (event as PageTransitionEvent).persisted && !this.#away && this.#start())
  }

  get user(): Me {
    return this.me
  }

  subscribe(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** The server is there (again): forget whom we knew and say who we are, as a restarted server knows nobody. */
  connected(): void {
    this.#away = false
    this.#channel.stop()
    this.#start()
    this.#notify()
  }

  /** Says everything once more, for whoever did not hear it. */
  repeat(): void {
    if (this.#away || !this.#channel.running) return
    for (const channel of ["user", "cursor", "selection", "typing"] as const) this.#send(channel, this.#state[channel])
  }

  /** The server is gone: the others stay on the page, greyed, for we do not know what they do. */
  disconnected(): void {
    this.#away = true
    this.#notify()
  }

  rename(me: Me): void {
    this.me = me
    this.#send("user", userOf(me))
    this.#notify()
  }

  setSelection(cursor: Place | null, selection: { from: Place; to: Place } | null): void {
    if (!same(cursor, this.#state.cursor)) this.#send("cursor", cursor)
    if (!same(selection, this.#state.selection)) this.#send("selection", selection)
  }

  setTyping(typing: (Place & { text: string }) | null): void {
    const bounded = typing && { ...typing, text: typing.text.slice(0, MAX_DRAFT) }
    if (!same(bounded, this.#state.typing)) this.#send("typing", bounded)
  }

  /** The others, in a stable order. States come from strangers, so every field is looked at before it is used. */
  people(): Person[] {
    const states = this.#channel.running ? Object.values(this.#channel.getPeerStates().value) : []
    return states
      .map(({ peerId, value }) => toPerson(peerId, value, this.#away))
      .filter(person => person !== null)
      .sort((a, b) => (a.peer < b.peer ? -1 : 1))
  }

  #start(): void {
    this.#channel.start({ initialState: this.#state })
  }

  #send<K extends keyof State & string>(channel: K, value: State[K]): void {
    this.#state = { ...this.#state, [channel]: value }
    if (this.#channel.running) this.#channel.broadcast(channel, value)
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }

  /** Ten colours and random ids meet now and then: the one with the larger id moves to the next free colour. */
  #avoidSameColor(): void {
    const others = this.people()
    const clash = others.some(other => other.color === this.me.color && other.id < this.me.id)
    if (!clash) return
    const taken = new Set(others.map(other => other.color))
    for (let step = 1; step < COLORS; step++) {
      const color = (this.me.color + step) % COLORS
      if (!taken.has(color)) return this.rename({ ...this.me, color })
    }
  }
}

function userOf(me: Me): State["user"] {
  return { id: me.id, name: me.name, color: me.color }
}

function toPerson(peer: string, state: Partial<State> | undefined, away: boolean): Person | null {
  const user = state?.user
  if (!user || typeof user.id !== "string" || typeof user.name !== "string") return null
  const color = Number.isInteger(user.color) ? ((user.color % COLORS) + COLORS) % COLORS : 0
  const typing = state?.typing
  const selection = state?.selection
  return {
    peer,
    id: user.id,
    name: user.name.slice(0, 40) || "Somebody",
    color,
    cursor: isPlace(state?.cursor) ? state.cursor : null,
    selection: selection && isPlace(selection.from) && isPlace(selection.to) ? selection : null,
    typing: isPlace(typing) ? { ...typing, text: String(typing.text ?? "").slice(0, MAX_DRAFT) } : null,
    away,
  }
}

function isPlace(value: unknown): value is Place {
  const place = value as Place | null | undefined
  return typeof place?.row === "string" && typeof place.column === "string"
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
