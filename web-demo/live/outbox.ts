// One's own edits until the server has said of each that it is on its disk, or that it refuses it.
//
// Each edit lies in the storage of the browser under its own id. So no window overwrites what another keeps, and one that
// is opened later brings what a closed one could not send. Two that send the same do no harm: an id counts once.

import { isYoung, newChangeId } from "./ids"
import type { Change, Edit } from "./protocol"
import { text } from "./values"

const KEY = "live/"
/** What could not be sent, or may not have been saved, for whoever looks for it. As long as the other: storage may be full. */
const ASIDE = "gone/"

/** The door takes 500 changes and 1 MiB in a message; a letter has at most three bytes. */
export const MAX_CHANGES = 200
const MAX_LETTERS = 300_000
const MAX_BYTES = 1_040_000

/** `met`: somebody's change of the same cell came since. `shown`: this very edit came back. `done`: accepted. */
type State = "met" | "shown" | "done"

/** `sent`: the server may have it, so that its name must not change any more. */
type Kept = Edit & { sent?: boolean }

export function newOutbox(store: Storage) {
  let edits: Kept[] = []
  /** Accepted edits that the version at hand may not have. */
  let fresh: Edit[] = []
  const states = new WeakMap<Edit, State>()
  const without = (state: State): Kept[] => edits.filter(edit => states.get(edit) !== state)
  const waiting = () => without("done")
  const keep = (edit: Kept) => (store[KEY + edit.changeId] = text(edit))
  const find = (name: string) => edits.find(({ changeId }) => changeId === name)

  /** Brings back what windows before this one have left. The ids begin with the time, so their order is that of the edits. */
  function load(tableId: string): void {
    for (const key of Object.keys(store).sort()) {
      try {
        const edit = key.startsWith(KEY) && (JSON.parse(store[key]) as Kept)
        if (edit && edit.tableId === tableId) edits.push(edit)
      } catch {
        // It is somebody else's.
      }
    }
  }

  /** Throws when the browser has no room left, or the server would not take it. */
  function add(made: Edit): void {
    // The mark has its room from the start: it is set when there may be none left.
    const edit = { ...made, sent: false }
    if (new Blob([text(edit)]).size > MAX_BYTES) throw edit
    keep(edit)
    edits.push(edit)
  }

  /**
   * The server has it on disk. It is shown until the change itself arrives; if somebody's change of the same cell came
   * since, that one is newer or has ours in it.
   */
  function accept(changeId: string): void {
    const edit = find(changeId)
    if (!edit) return
    const state = states.get(edit)
    if (state) drop(changeId)
    else states.set(edit, "done")
    delete store[KEY + changeId]
    if (state !== "shown") fresh.push(edit)
    // Their author had seen this one, in a version that does not have it.
    for (const other of waiting()) {
      if (!isSame(edit, other)) continue
      delete other.base
      keep(other)
    }
  }

  /** What is set aside stays in the storage, and is not sent again. */
  function drop(changeId: string, aside?: boolean): Edit | undefined {
    const edit = find(changeId)
    edits = edits.filter(other => other !== edit)
    delete store[KEY + changeId]
    if (aside) store[ASIDE + changeId] = text(edit)
    return edit
  }

  /** Changes have come: what was accepted before them is in them, or in nobody's sight. */
  function meet(changes: readonly Change[]): void {
    edits = waiting()
    fresh = []
    for (const edit of edits) {
      for (const change of changes) {
        if (change.changeId === edit.changeId) states.set(edit, "shown")
        else if (isSame(edit, change) && !states.has(edit)) states.set(edit, "met")
      }
    }
  }

  /** The next ones to send together, of those that have not been, none before an earlier one of its row is answered. */
  function next(sent: ReadonlySet<string>, most = MAX_CHANGES): Edit[] {
    const busy = new Set<string>()
    const isFree = ({ changeId, recordId }: Edit) => (sent.has(changeId) ? !busy.add(recordId) : !busy.has(recordId))
    const next = waiting().filter(isFree).slice(0, most)
    while (next.length > 1 && text(next).length > MAX_LETTERS) next.length >>= 1
    return next
  }

  /** They go out now. What never did gets a name of now: the server refuses old ones, as it forgets what it did long ago. */
  function take(next: Edit[]): Edit[] {
    return next.flatMap((edit: Kept) => {
      if (!edit.sent) {
        const { changeId } = edit
        const key = KEY + changeId
        // Another window of this browser has taken it.
        if (!store[key]) return drop(changeId), []
        if (!isYoung(changeId)) {
          delete store[key]
          edit.changeId = newChangeId()
        }
        edit.sent = true
        keep(edit)
      }
      const { sent, ...data } = edit
      return [data]
    })
  }

  /**
   * The version that an author saw. Of a cell that edits of their own cover it is the one that these were made on; of one that
   * they have written since the version at hand there is none, as nobody is to be told of oneself as of somebody else.
   */
  function baseOf(edit: Edit, seen: string): string | undefined {
    const isMine = (own: Edit) => isSame(own, edit)
    if (fresh.some(isMine)) return
    const below = without("shown").find(isMine)
    return below ? below.base : seen
  }

  return {
    load,
    baseOf,
    add,
    accept,
    drop,
    meet,
    next,
    take,
    /** Whether an earlier edit of the same row has no answer. */
    isBehind(changeId: string): boolean {
      const edit = find(changeId)
      return edit !== waiting().find(other => other.recordId === edit?.recordId)
    },
    /** Those that the server has not answered, in order. */
    waiting,
    /** Those that the rows do not show yet. */
    unseen: () => without("shown"),
  }
}

/** Whether an edit and a change, or another edit, are about the same. */
const isSame = (edit: Edit, { recordId, changes }: Edit | Change): boolean =>
  edit.recordId === recordId && (!edit.changes || !changes || edit.changes.some(a => changes.some(b => a.fieldId === b.fieldId)))
