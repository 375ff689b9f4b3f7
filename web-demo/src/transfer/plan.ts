// What is to become of each column of a file: first a guess, then what the person says, then what the server is told.

import type { Goal, IntoColumn, NewColumn, Preview } from "../api"
import type { Column as WholeColumn } from "../model"

/** What a plan needs to know of a column of the table. */
export type Column = Pick<WholeColumn, "id" | "name" | "kind">

export type Mode = "new" | "append" | "update"

/** Where a column of the file goes: into a column of its own, nowhere, or into a column of the table. */
export type Target = { to: "new" } | { to: "skip" } | { to: "column"; id: string }

export interface Choice {
  target: Target
  name: string
  kind: string
}

export interface Plan {
  mode: Mode
  title: string
  /** The column of the table by which rows are found again, when updating. */
  key: string | null
  choices: Choice[]
}

/** Columns go to those of the same name. What has none there becomes a new one, so that nothing of the file is lost unsaid. */
export function firstPlan(preview: Preview, mode: Mode, title: string, columns: readonly Column[]): Plan {
  const free = new Map<string, string>()
  for (const { id, name } of columns) if (!free.has(fold(name))) free.set(fold(name), id)
  const choices = preview.columns.map(({ name, kind }): Choice => {
    const id = mode === "new" ? undefined : free.get(fold(name))
    if (id !== undefined) free.delete(fold(name))
    return { target: id === undefined ? { to: "new" } : { to: "column", id }, name, kind }
  })
  const first = choices.find(choice => choice.target.to === "column")?.target
  return { mode, title, key: mode === "update" && first?.to === "column" ? first.id : null, choices }
}

const fold = (name: string) => name.trim().toLowerCase()

/** What keeps the plan from being carried out: a sentence, and the column it is about. */
export interface Fault {
  text: string
  position: number | null
}

export function faultOf(plan: Plan, columns: readonly Column[]): Fault | null {
  const taken = new Map<string, number>()
  for (const [position, { target, name }] of plan.choices.entries()) {
    if (target.to === "new" && !name.trim()) return { text: `Column ${position + 1} of the file needs a name.`, position }
    if (target.to !== "column") continue
    if (taken.has(target.id)) {
      return { text: `Two columns of the file go to “${nameOf(target.id, columns)}”.`, position }
    }
    taken.set(target.id, position)
  }
  if (plan.choices.every(choice => choice.target.to === "skip")) return { text: "Every column is left out.", position: null }
  if (plan.mode !== "update") return null
  if (plan.key === null) return { text: "Choose the column by which rows are found again.", position: null }
  if (!taken.has(plan.key)) {
    return { text: `No column of the file goes to “${nameOf(plan.key, columns)}”, by which rows are found again.`, position: null }
  }
  return null
}

const nameOf = (id: string, columns: readonly Column[]) => columns.find(column => column.id === id)?.name ?? id

/** What the server is asked to do. Only what differs from its own guess is said: a file may have a thousand columns. */
export function goalOf(plan: Plan, preview: Preview, table: string): Goal {
  if (plan.mode === "new") {
    const columns = plan.choices.map(({ target, name, kind }, position): NewColumn => {
      const guess = preview.columns[position]
      if (target.to === "skip") return { skip: true }
      return { ...(name.trim() === guess?.name ? {} : { name: name.trim() }), ...(kind === guess?.kind ? {} : { kind }) }
    })
    while (columns.length > 0 && Object.keys(columns.at(-1)!).length === 0) columns.pop()
    return { mode: "new", title: plan.title.trim() || "Untitled", columns }
  }
  const columns = plan.choices.map(({ target, name, kind }): IntoColumn => {
    if (target.to === "skip") return { skip: true }
    return target.to === "column" ? { column: target.id } : { new: { name: name.trim(), kind } }
  })
  if (plan.mode === "append") return { mode: "append", table, columns }
  return { mode: "update", table, key: plan.key ?? "", columns }
}

/** The column of the file that a problem of the server is about, by its JSON pointer into what was asked (`/columns/2/name`). */
export function positionOf(field: string | undefined): number | null {
  const found = /^\/?(?:columns\/)?(\d+)(?:\/|$)/.exec(field ?? "")
  return found ? Number(found[1]) : null
}

/** What a new table is called: the file without its ending. */
export function titleOf(file: string): string {
  return file.replace(/\.[^.]+$/, "").trim() || file
}
