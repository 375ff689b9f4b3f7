// One's own edits until the server has said of each that it is on its disk, or that it refuses it.
//
// Each edit lies in the storage of the browser under its own id. So no window overwrites what another keeps, and one that
// is opened later brings what a closed one could not send. Two that send the same do no harm: an id counts once.

import type { Change, Edit } from "./protocol"

const KEY = "live/"

/** The door takes 500 changes and 1 MiB in a message; a letter has at most three bytes. */
const MAX_CHANGES = 200
const MAX_LETTERS = 300_000

/** `met`: somebody's change of the same cell came since. `shown`: this very edit came back. `done`: accepted. */
type State = "met" | "shown" | "done"

export class Outbox {
  #edits: Edit[] = []
  #states: Record<string, State> = {}

  constructor(private readonly store: Storage) {}

  /** Brings back what windows before this one have left. The ids begin with the time, so their order is that of the edits. */
  load(tableId: string): void {
    for (const key of Object.keys(this.store).sort()) {
      const edit = key.startsWith(KEY) && (JSON.parse(this.store[key]) as Edit)
      if (edit && edit.tableId === tableId) this.#edits.push(edit)
    }
  }

  /** Throws when the browser has no room left. */
  add(edit: Edit): void {
    this.store[KEY + edit.changeId] = JSON.stringify(edit)
    this.#edits.push(edit)
  }

  /** Those that the server has not answered, in order. */
  get waiting(): Edit[] {
    return this.#without("done")
  }

  /** Those that the rows do not show yet. */
  get unseen(): Edit[] {
    return this.#without("shown")
  }

  /**
   * The server has it on disk. It is shown until the change itself arrives; if somebody's change of the same cell came
   * since, that one is newer or has ours in it.
   */
  accept(changeId: string): void {
    if (this.#states[changeId]) this.drop(changeId)
    this.#states[changeId] = "done"
    delete this.store[KEY + changeId]
  }

  drop(changeId: string): void {
    this.#edits = this.#edits.filter(edit => edit.changeId !== changeId)
    delete this.store[KEY + changeId]
  }

  /** Changes have come: what was accepted before them is in them, or in nobody's sight. */
  meet(changes: readonly Change[]): void {
    this.#edits = this.#without("done")
    for (const edit of this.#edits) {
      for (const change of changes) {
        if (change.changeId === edit.changeId) this.#states[edit.changeId] = "shown"
        else if (isSame(edit, change)) this.#states[edit.changeId] ??= "met"
      }
    }
  }

  /** The next ones to send together, of those that have not been. */
  next(sent: ReadonlySet<string>): Edit[] {
    const next = this.waiting.filter(edit => !sent.has(edit.changeId)).slice(0, MAX_CHANGES)
    while (next.length > 1 && JSON.stringify(next).length > MAX_LETTERS) next.length >>= 1
    return next
  }

  #without(state: State): Edit[] {
    return this.#edits.filter(edit => this.#states[edit.changeId] !== state)
  }
}

/** Whether a change is about what the edit is about. */
const isSame = ({ recordId, changes }: Edit, change: Change): boolean =>
  recordId === change.recordId &&
  (!changes || changes.some(mine => change.changes?.some(theirs => theirs.fieldId === mine.fieldId)))
