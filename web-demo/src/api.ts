// The server's REST interface as far as this page uses it: files in, files out. Typed, and without the page, so that it can
// be tested against any server.
//
// An import is named by its key. Whatever happens to the connection, the same request with the same key goes on where the
// first one stopped and writes nothing twice.

import { randomBase62 } from "./ids"

/** An error as the server tells it (RFC 9457). */
export interface Problem {
  status: number
  title: string
  code: string
  detail: string
  /** What of the request was wrong, as a JSON pointer. */
  field?: string
}

/** The server said no. */
export class Refused extends Error {
  override name = "Refused"

  constructor(readonly problem: Problem) {
    super(problem.detail)
  }
}

/** No answer, or one that says to come back: worth another attempt. */
export class Unreachable extends Error {
  override name = "Unreachable"
}

export type Format = "csv" | "xlsx"

/** A file in memory: what was looked at is what is imported, even if somebody saves over the file meanwhile. */
export interface Upload {
  name: string
  bytes: ArrayBuffer
  /** Null leaves it to the server to find out. */
  format: Format | null
  sheet: string | null
}

export interface Preview {
  format: string
  /** Of a workbook: the names of its sheets. */
  sheets?: string[]
  /** The one that was looked at. */
  sheet?: string | null
  /** Rows without the one that names the columns. */
  rows: number
  columns: { name: string; kind: string; samples: unknown[]; errors?: number }[]
}

/** What becomes of a column of the file, by its position. Without any of these the server decides. */
export interface NewColumn {
  name?: string
  kind?: string
  skip?: true
}
export type IntoColumn = { column: string } | { new: { name: string; kind: string } } | { skip: true }

export type Goal =
  | { mode: "new"; title: string; columns: NewColumn[] }
  | { mode: "append"; table: string; columns: IntoColumn[] }
  | { mode: "update"; table: string; key: string; columns: IntoColumn[] }

export interface BulkState {
  state: "running" | "done" | "stopped" | "failed"
  /** Parts in all, and parts that are on the server's disk. */
  slices: number
  done: number
  cells: number
  rows?: number
  problem?: Problem
}

export interface Imported {
  table: string
  url?: string
  rows?: number
}

interface BulkAnswer extends Imported {
  key: string
  progress?: string
}

/** How an import goes: `null` while the server cannot be reached. */
export type Watch = (state: BulkState | null) => void

const MEDIA_TYPES: Record<Format, string> = {
  csv: "text/csv",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

/** Says that the server is busy or away, not that the request is wrong. */
const COME_BACK = new Set([429, 502, 503, 504])

/** The pause before another attempt: half a second, and twice as long each time, up to this. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 8_000

/** The server reads the time out of a key, so that it knows which keys it may have forgotten. */
export const newKey = (): string => `${Date.now()}-${randomBase62(12)}`

export class Api {
  constructor(
    private readonly base: string,
    private readonly pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms)),
  ) {}

  async preview(upload: Upload): Promise<Preview> {
    const answer = await this.#send("/v1/imports/preview", fileQuery(upload), upload)
    return (await answer.json()) as Preview
  }

  /** Imports a file. Ends when everything is on the server's disk; throws `Refused` when the server does not want it. */
  async import(upload: Upload, goal: Goal, watch: Watch, key = newKey()): Promise<Imported> {
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await this.#start(upload, goal, key)
        if (!answer.progress) return answer
        const end = await this.#follow(answer.progress, state => {
          if (state) attempt = 0
          watch(state)
        })
        if (end.state === "done") return { ...answer, ...(end.rows === undefined ? {} : { rows: end.rows }) }
        if (end.state === "failed") throw new Refused(end.problem ?? unnamed(500, "the import failed"))
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error
      }
      watch(null)
      await this.pause(Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS))
    }
  }

  exportUrl(table: string, format: Format, view: string | null): string {
    const query = new URLSearchParams({ format })
    if (view) query.set("view", view)
    return this.#url(`/v1/tables/${encodeURIComponent(table)}/export`, query)
  }

  async #start(upload: Upload, goal: Goal, key: string): Promise<BulkAnswer> {
    const query = fileQuery(upload)
    if (goal.columns.length > 0) query.set("columns", JSON.stringify(goal.columns))
    if (goal.mode === "new") query.set("title", goal.title)
    else query.set("mode", goal.mode)
    if (goal.mode === "update") query.set("key", goal.key)
    const path = goal.mode === "new" ? "/v1/imports" : `/v1/tables/${encodeURIComponent(goal.table)}/import`
    const answer = await this.#send(path, query, upload, { "idempotency-key": key, prefer: "respond-async" })
    return (await answer.json()) as BulkAnswer
  }

  /** Listens until the server says how it ended. The browser reconnects by itself; when it gives up, we ask anew. */
  #follow(progress: string, watch: Watch): Promise<BulkState> {
    return new Promise((resolve, reject) => {
      const source = new EventSource(this.#url(`${progress}/events`, new URLSearchParams()))
      source.addEventListener("progress", event => {
        const state = JSON.parse((event as MessageEvent<string>).data) as BulkState
        watch(state)
        if (state.state === "running") return
        source.close()
        resolve(state)
      })
      source.addEventListener("error", () => {
        if (source.readyState !== EventSource.CLOSED) return watch(null)
        reject(new Unreachable("the server no longer tells how the import goes"))
      })
    })
  }

  async #send(path: string, query: URLSearchParams, upload: Upload, headers: Record<string, string> = {}): Promise<Response> {
    const type = upload.format ? MEDIA_TYPES[upload.format] : "application/octet-stream"
    let answer: Response
    try {
      answer = await fetch(this.#url(path, query), {
        method: "POST",
        headers: { "content-type": type, ...headers },
        body: upload.bytes,
      })
    } catch {
      throw new Unreachable("The server cannot be reached.")
    }
    if (answer.ok) return answer
    const problem = await problemOf(answer)
    throw COME_BACK.has(answer.status) ? new Unreachable(problem.detail) : new Refused(problem)
  }

  #url(path: string, query: URLSearchParams): string {
    const url = new URL(path, this.base)
    for (const [name, value] of query) url.searchParams.set(name, value)
    return url.href
  }
}

function fileQuery({ format, sheet }: Upload): URLSearchParams {
  const query = new URLSearchParams()
  if (format) query.set("format", format)
  if (sheet !== null) query.set("sheet", sheet)
  return query
}

function unnamed(status: number, detail: string): Problem {
  return { status, title: "", code: "failed", detail }
}

/** What stands between us and the server answers in words of its own. */
async function problemOf(answer: Response): Promise<Problem> {
  const fallback = unnamed(answer.status, `The server answered ${answer.status} ${answer.statusText}`.trim() + ".")
  if (!/^application\/(problem\+)?json/.test(answer.headers.get("content-type") ?? "")) return fallback
  try {
    return { ...fallback, ...((await answer.json()) as Partial<Problem>) }
  } catch {
    return fallback
  }
}
