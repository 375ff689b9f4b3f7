// One's own edits at the live door until they have been answered and are to be seen among the rows.
//
// - An edit without an answer is sent again over the next connection, under the id that it has.
// - Sent at once, it says of what it was made on what its author wants said; sent later, always the version, since others have
//   edited meanwhile.
// - An edit that was accepted is shown until its row comes, or somebody's newer one.

export class Outbox {
  /** In the order in which they were made. */
  #edits = []
  #made = 0

  constructor(device, table) {
    this.device = device
    this.table = table
  }

  /**
   * A new edit: of a record, or with `items` a batch. `base`: the version that its author saw of what it touches, if there is
   * one; `says`: what it says of this when it is sent at once, "version", "values" (its `oldValue`s) or "nothing". `touches`:
   * `[row, column]`, without a column the whole row. `told` is called once, with the answer.
   */
  add(what, { base, says, touches, told }) {
    const changeId = `${Date.now()}-${this.device}-${++this.#made}`
    const edit = { changeId, what, base, says, touches, told, isAccepted: false, isSeen: false }
    this.#edits.push(edit)
    return edit
  }

  /** Those without an answer, in their order. */
  get waiting() {
    return this.#edits.filter(edit => !edit.isAccepted)
  }

  /** Those about these cells that the rows may not show yet. */
  about(row, columns) {
    const meets = ([other, column]) => other === row && (!columns || column === undefined || columns.includes(column))
    return this.#edits.filter(edit => edit.touches.some(meets))
  }

  /** What the last of these edits has set a cell to; undefined if none of them has. */
  shown(row, column) {
    const fields = this.about(row, [column]).flatMap(({ what }) => (what.recordId === row && what.changes) || [])
    return fields.findLast(({ fieldId }) => fieldId === column)?.newValue
  }

  /** An edit as it is sent at once. */
  message({ changeId, what: { items, ...record }, base, says }) {
    const data = { changeId, tableId: this.table, ...(says === "version" && { base }) }
    return items ? ["batch_changes", { ...data, changes: items }] : ["record_change", { ...data, ...record }]
  }

  /** All that waits, for a new connection: records together, in between batches, which go alone. */
  messages() {
    const messages = []
    let letter = null
    for (const edit of this.waiting) {
      const [type, data] = this.message(edit.says === "values" && edit.base ? { ...edit, says: "version" } : edit)
      if (type !== "record_change") {
        messages.push([type, data])
        letter = null
      } else if (letter) {
        letter.push(data)
      } else {
        letter = [data]
        messages.push(["sync_offline_changes", { changes: letter }])
      }
    }
    return messages
  }

  /** An answer has come; whether somebody waited for it. */
  answer(changeId, answer) {
    const edit = this.waiting.find(edit => edit.changeId === changeId)
    if (!edit) return false
    edit.isAccepted = true
    // Of what was written beside others' the rows show what has won.
    if (!answer.accepted || answer.accepted.merged || edit.isSeen) this.#drop([edit])
    edit.told(answer)
    return true
  }

  /** Changes have come, all that lead to some version or those of some rows. */
  meet(changes) {
    for (const edit of [...this.#edits]) {
      const [mine, same] = [({ changeId }) => changeId === edit.changeId, change => isSame(edit, change)]
      if (changes.some(mine)) edit.isSeen = true
      if (edit.isAccepted && (edit.isSeen || changes.some(same))) this.#drop([edit])
    }
  }

  /** All has come that there was before the connection. */
  meetAll() {
    this.#drop(this.#edits.filter(edit => edit.isAccepted))
  }

  #drop(edits) {
    this.#edits = this.#edits.filter(edit => !edits.includes(edit))
  }
}

const isSame = ({ touches }, { recordId, changes }) =>
  touches.some(([row, column]) => row === recordId && (!column || !changes || changes.some(({ fieldId }) => fieldId === column)))
