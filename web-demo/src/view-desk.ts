// Which view this window shows. The choice is a person's own and stands in the address; the views are everybody's.
//
// Without a view, filter and sort are this window's own until they are saved as one. In a view every change is written to
// it, for everybody.

import { EVERYTHING, isEverything, type Part, type Skipped, type View } from "./view"
import type { StoredView, Views } from "./view-store"
import type { ViewTable } from "./view-table"

/** The part of the address that names a view. */
export interface Address {
  read(): string | null
  write(view: string | null): void
}

export class ViewDesk {
  /** What is shown without a view, or while the view of the address is not there (yet). */
  #own: View = EVERYTHING
  #chosen: string | null
  /** The name of the chosen view when it was last there: what a message calls it. */
  #lastName: string | null = null
  #columns: Set<string>
  #shown = ""
  #listeners = new Set<() => void>()
  #choices = new Set<() => void>()

  constructor(
    readonly table: ViewTable,
    readonly views: Views,
    private readonly address: Address,
    private readonly gone: (name: string) => void,
  ) {
    this.#chosen = address.read()
    this.#lastName = this.stored?.name ?? null
    this.#columns = new Set(table.allCols().map(({ id }) => id))
    views.subscribe(() => this.#follow())
    table.subscribe(({ structure, remote }) => structure && this.#adopt(!remote))
    this.#show()
  }

  /** Calls back when another view is shown. */
  chosen(listener: () => void): void {
    this.#choices.add(listener)
  }

  subscribe(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** The view shown, or null for all rows. */
  get stored(): StoredView | null {
    return this.views.find(this.#chosen)
  }

  get view(): View {
    return this.stored?.view ?? this.#own
  }

  /** Something is filtered, sorted or hidden that is not kept in a view. */
  get unsaved(): boolean {
    return !this.stored && !isEverything(this.#own)
  }

  /** What of the view is not followed: not understood when read, or not possible in this table. */
  get skipped(): Skipped[] {
    return [...(this.stored?.skipped ?? []), ...this.table.skipped]
  }

  choose(id: string | null): void {
    if (id !== this.#chosen) this.#own = EVERYTHING
    this.#chosen = id
    this.#lastName = this.stored?.name ?? null
    this.address.write(id)
    this.#show()
    for (const listener of this.#choices) listener()
  }

  /** Changes one part of what is shown. */
  edit<P extends Part>(part: P, value: View[P]): void {
    const view = { ...this.view, [part]: value }
    const { stored } = this
    if (stored) this.views.setPart(stored.id, part, view)
    else {
      this.#own = view
      this.#show()
    }
  }

  /** Puts a column beside another in a view that lists its columns. False: all are shown, in the table's order. */
  placeColumn(id: string, beside: { before: string } | { after: string } | "end"): boolean {
    const { columns } = this.view
    if (!columns) return false
    const others = columns.filter(other => other !== id)
    const next = beside === "end" ? -1 : "before" in beside ? others.indexOf(beside.before) : others.indexOf(beside.after) + 1
    others.splice(next < 0 ? others.length : next, 0, id)
    this.edit("columns", others)
    return true
  }

  /** Hides a column in what is shown. */
  hideColumn(id: string): void {
    this.edit("columns", (this.view.columns ?? this.table.allCols().map(column => column.id)).filter(other => other !== id))
  }

  /** Keeps what is shown as a view, and shows that. */
  saveAs(name: string): void {
    this.choose(this.views.create(name, this.view))
  }

  /** Makes a view and shows it: of what is not kept in one yet, else of all rows. */
  create(name: string): void {
    this.choose(this.views.create(name, this.stored ? EVERYTHING : this.#own))
  }

  /** Takes back what is not kept in a view. */
  clear(): void {
    this.#own = EVERYTHING
    this.#show()
  }

  /** A name for a new view that no other has. */
  freeName(wanted: string): string {
    const names = new Set(this.views.all().map(({ name }) => name))
    let name = wanted
    for (let n = 2; names.has(name); n++) name = `${wanted} ${n}`
    return name
  }

  #follow(): void {
    const { stored } = this
    if (stored) this.#lastName = stored.name
    else if (this.#lastName !== null) {
      this.gone(this.#lastName)
      return this.choose(null)
    }
    this.#show()
  }

  /** A column that is added in this window is meant to be seen, although the view lists its columns. */
  #adopt(here: boolean): void {
    const all = this.table.allCols().map(({ id }) => id)
    const added = all.filter(id => !this.#columns.has(id))
    this.#columns = new Set(all)
    if (!here || added.length === 0) return
    // Afterwards, for a change is being told right now; whoever added it may have said meanwhile where it stands.
    queueMicrotask(() => {
      for (const id of added) {
        const left = all[all.indexOf(id) - 1]
        if (!this.view.columns?.includes(id)) this.placeColumn(id, left !== undefined && this.view.columns?.includes(left) ? { after: left } : "end")
      }
    })
  }

  #show(): void {
    const shown = JSON.stringify(this.view)
    if (shown !== this.#shown) {
      this.#shown = shown
      this.table.setView(this.view)
    }
    for (const listener of this.#listeners) listener()
  }
}
