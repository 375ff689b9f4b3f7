// The table a page makes for itself when the server has none to offer: the data set that lies beside the page.

import type { DocHandle, Repo } from "@automerge/automerge-repo/slim"
import { generateNKeysBetween } from "fractional-indexing"
import { newBlockId, newColumnId, newOptionId, newRowId } from "./ids"
import type { Column } from "./model"
import { CELLS_PER_CHANGE, ROWS_PER_BLOCK, SCHEMA_VERSION, type ColumnDoc, type Kind, type RowDoc, type TableDoc } from "./schema"
import { parse, scalar, write } from "./values"

export interface Source {
  title: string
  source: string
  licence: string
  link?: string
  /** By name, what the file cannot say of a column. */
  columns?: Record<string, { kind: Kind; options?: { name: string; color: string }[] }>
}

export async function fetchSource(): Promise<Source | null> {
  const answer = await fetch("/sample.json").catch(() => null)
  return answer?.ok ? ((await answer.json()) as Source) : null
}

export async function createSample(repo: Repo): Promise<DocHandle<TableDoc>> {
  const [source, csv] = await Promise.all([fetchSource(), fetch("/sample.csv").then(answer => answer.text())])
  const [header = [], ...lines] = parseCsv(csv)
  const columns = header.map((name, i): Column => {
    const { kind = guessKind(lines.map(line => line[i] ?? "")), options = [] } = source?.columns?.[name] ?? {}
    const keys = generateNKeysBetween(null, null, options.length)
    return { id: newColumnId(), name, kind, width: 0, options: options.map((option, at) => ({ ...option, id: newOptionId(), order: keys[at]! })) }
  })
  const columnKeys = generateNKeysBetween(null, null, header.length)
  const handle = repo.create<TableDoc>()
  handle.change(doc => {
    doc.type = scalar("table")
    doc.schemaVersion = SCHEMA_VERSION
    doc.title = scalar(source?.title ?? "Table")
    doc.columns = {}
    doc.blocks = {}
    doc.views = {}
    columns.forEach((column, i) => (doc.columns[column.id] = columnOf(column, columnKeys[i]!)))
  })
  const rowKeys = generateNKeysBetween(null, null, lines.length)
  const step = Math.max(1, Math.floor(CELLS_PER_CHANGE / header.length))
  let block = ""
  for (let from = 0; from < lines.length; from += step) {
    handle.change(doc => {
      for (let r = from; r < Math.min(from + step, lines.length); r++) {
        if (r % ROWS_PER_BLOCK === 0) doc.blocks[(block = newBlockId())] = {}
        doc.blocks[block]![newRowId(block)] = rowOf(rowKeys[r]!, lines[r]!, columns)
      }
    })
  }
  return handle
}

function columnOf({ name, kind, options }: Column, order: string): ColumnDoc {
  const column: ColumnDoc = { name: scalar(name), kind: scalar(kind), order: scalar(order) }
  if (options.length === 0) return column
  const written = options.map(({ id, name, color, order }) => [id, { name: scalar(name), color: scalar(color), order: scalar(order) }] as const)
  return { ...column, options: Object.fromEntries(written) }
}

function rowOf(order: string, line: readonly string[], columns: readonly Column[]): RowDoc {
  const row: RowDoc = { order: scalar(order) }
  columns.forEach(({ id, kind, options }, i) => {
    const value = parse(kind, line[i] ?? "", options)
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") row[id] = write(value)
  })
  return row
}

/** The first kind that every filled cell of the column fits. */
function guessKind(texts: readonly string[]): Kind {
  const filled = texts.filter(text => text.trim() !== "")
  if (filled.length === 0) return "text"
  if (filled.every(text => /^(true|false)$/i.test(text))) return "checkbox"
  if (filled.every(text => typeof parse("number", text) === "number")) return "number"
  if (filled.every(text => /^\d{4}-\d{2}-\d{2}$/.test(text))) return "date"
  return "text"
}

/** RFC 4180; the file is ours, so a broken one is a broken build. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y
  while (field.lastIndex < text.length) {
    const match = field.exec(text)
    if (!match) throw new Error(`sample.csv is broken near character ${field.lastIndex}`)
    row.push(match[1] !== undefined ? match[1].replaceAll('""', '"') : (match[2] ?? ""))
    if (match[3] !== ",") {
      rows.push(row)
      row = []
    }
  }
  return rows
}
