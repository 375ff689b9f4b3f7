// Lines to paste into a shell: this table, read and written with curl.

import type { Kind } from "../schema"
import type { Column } from "./plan"

/** A cell of each kind as the server takes it. Choices need an option's id, so that such a column makes no good example. */
const EXAMPLES: Partial<Record<Kind, unknown>> = {
  text: "Hello",
  longtext: "Hello",
  number: 42,
  counter: 1,
  checkbox: true,
  date: "2026-01-31",
}

export function readLine(origin: string, table: string, view: string | null): string {
  const query = view ? `?view=${encodeURIComponent(view)}` : ""
  return `curl ${quote(`${origin}/v1/tables/${table}/rows${query}`)}`
}

export function writeLine(origin: string, table: string, columns: readonly Column[]): string {
  const column = columns.find(({ kind }) => kind in EXAMPLES)
  const cells = column ? { [nameFor(column, columns)]: EXAMPLES[column.kind] } : {}
  return [
    `curl ${quote(`${origin}/v1/tables/${table}/rows`)}`,
    `-H 'Content-Type: application/json'`,
    `-H "Idempotency-Key: $(date +%s)-$RANDOM"`,
    `-d ${quote(JSON.stringify({ rows: [{ cells }] }))}`,
  ].join(" \\\n  ")
}

/** A column goes by its name where that says which one is meant. */
function nameFor({ id, name }: Column, columns: readonly Column[]): string {
  const isUnique = columns.every(column => column.id === id || (column.name !== name && column.id !== name))
  return name && isUnique ? name : id
}

/** As one word of a POSIX shell, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
