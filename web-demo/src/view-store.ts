// The named views of a table in its document: read leniently, written one key at a time.
//
// Each part of a view is replaced as a whole, so that of two people who change the filter at once one wins, and who changes
// the filter and who changes the sort both do.

import type { Automerge, DocHandle } from "@automerge/automerge-repo/slim"
import { randomBase62 } from "./ids"
import { byOrder, placeAfter } from "./order"
import type { TableDoc } from "./schema"
import { PARTS, type Filter, type Json, type Part, type Skipped, type View } from "./view"
import { fromDoc, toDoc } from "./view-json"
import { readView } from "./view-read"

export interface StoredView {
  id: string
  order: string
  name: string
  view: View
  /** What this page does not understand of it. */
  skipped: Skipped[]
}

type ViewDocs = Record<string, Record<string, unknown>>

const VIEW_ID = /^v[A-Za-z0-9_-]{1,64}$/

export class Views {
  #all: readonly StoredView[] = []
  #listeners = new Set<() => void>()

  constructor(private readonly handle: DocHandle<TableDoc>) {
    this.#all = readAll(handle.doc())
    handle.on("change", ({ patches }) => {
      if (!patches.some(({ path }) => path[0] === "views")) return
      this.#all = readAll(handle.doc())
      for (const listener of this.#listeners) listener()
    })
  }

  /** Sorted by (order, id). */
  all(): readonly StoredView[] {
    return this.#all
  }

  find(id: string | null): StoredView | null {
    return this.#all.find(view => view.id === id) ?? null
  }

  subscribe(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Adds a view behind all others and returns its id. */
  create(name: string, view: View): string {
    return this.#add(PARTS.reduce((doc, part) => ({ ...doc, [part]: partToJson(view, part) }), { name }), this.#all.length - 1)
  }

  /** A copy right behind the original, with the parts that this page does not understand. */
  duplicate(id: string, name: string): string {
    const raw = fromDoc(docs(this.handle.doc())[id]) as Record<string, Json>
    return this.#add({ ...raw, name }, this.#all.findIndex(view => view.id === id))
  }

  rename(id: string, name: string): void {
    this.#edit(id, view => void (view.name = toDoc(name)))
  }

  /** Removes a view and returns all that it was. */
  remove(id: string): Json {
    const raw = fromDoc(docs(this.handle.doc())[id])
    this.#change(views => void delete views[id])
    return raw
  }

  /** Puts back what was removed, unless somebody else has. */
  restore(id: string, raw: Json): void {
    this.#change(views => void (views[id] ??= toDoc(raw) as Record<string, unknown>))
  }

  setPart(id: string, part: Part, view: View): void {
    const json = partToJson(view, part)
    this.#edit(id, doc => {
      if (json === undefined) delete doc[part]
      else doc[part] = toDoc(json)
    })
  }

  /** Moves a view by one place among the others. */
  move(id: string, by: -1 | 1): void {
    const at = this.#all.findIndex(view => view.id === id)
    if (at < 0 || !this.#all[at + by]) return
    const others = this.#all.filter(view => view.id !== id)
    this.#place(others, at + by - 1, (doc, order) => void (doc[id] && (doc[id].order = order)))
  }

  #add(json: Record<string, unknown>, after: number): string {
    const id = `v${randomBase62()}`
    const kept = Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined))
    this.#place(this.#all, after, (doc, order) => void (doc[id] = { ...(toDoc(kept) as object), order }))
    return id
  }

  /** Where two people's keys are equal there is no room between them: then the later ones get new keys first. */
  #place(sorted: readonly StoredView[], after: number, put: (doc: ViewDocs, order: unknown) => void): void {
    const { keys, rekeyed } = placeAfter(sorted, after, 1)
    this.#change(doc => {
      for (const { id, order } of rekeyed) if (doc[id]) doc[id].order = toDoc(order)
      put(doc, toDoc(keys[0]!))
    })
  }

  #edit(id: string, edit: (view: Record<string, unknown>) => void): void {
    this.#change(views => {
      if (views[id]) edit(views[id])
    })
  }

  #change(edit: (views: ViewDocs) => void): void {
    this.handle.change((doc => {
      // A table made before there were views has no map for them.
      doc.views ??= {}
      edit(doc.views as ViewDocs)
    }) as Automerge.ChangeFn<TableDoc>)
  }
}

function docs(doc: TableDoc): ViewDocs {
  const { views } = doc
  return typeof views === "object" && views !== null ? (views as ViewDocs) : {}
}

function readAll(doc: TableDoc): StoredView[] {
  const found = Object.entries(docs(doc)).filter(([id]) => VIEW_ID.test(id))
  const read = found.flatMap(([id, raw]) => {
    const json = fromDoc(raw)
    // Whoever has the address may write anything into the document; what is no view is not shown.
    if (typeof json !== "object" || json === null || Array.isArray(json)) return []
    return [{ id, order: typeof json.order === "string" ? json.order : "", ...readView(json) }]
  })
  return read.sort(byOrder)
}

/** As it lies in the document; undefined if it says nothing and so has no key. */
function partToJson(view: View, part: Part): unknown {
  const list = <T>(items: readonly T[]) => (items.length > 0 ? items : undefined)
  const sort = ({ column, descending }: View["sort"][number]) => (descending ? { column, descending } : { column })
  switch (part) {
    case "filter":
      return list(view.filter.map(filterToJson))
    case "columns":
      return view.columns ?? undefined
    case "aggregates":
      return list(view.aggregates.map(({ op, column }) => (column === null ? { op } : { op, column })))
    default:
      return list(view[part].map(sort))
  }
}

function filterToJson(filter: Filter): unknown {
  if ("and" in filter) return { and: filter.and.map(filterToJson) }
  if ("or" in filter) return { or: filter.or.map(filterToJson) }
  const { column, op, value } = filter
  return value === null ? { column, op } : { column, op, value }
}
