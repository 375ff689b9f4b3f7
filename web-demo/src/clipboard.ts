// Tab-separated text as Excel, Sheets, Numbers and LibreOffice put it on the clipboard, both ways.

/** A cell with a tab, a line break or a quote is quoted, and its quotes doubled; everything else stands as it is. */
export function toTsv(rows: readonly (readonly string[])[]): string {
  return rows.map(row => row.map(quote).join("\t")).join("\n")
}

function quote(text: string): string {
  return /["\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/**
 * Reads tab-separated text. A field is quoted only when it *begins* with a quote and that quote is closed right before a
 * tab, a line end or the end: `5" pipe` and `"he said` are plain text, as other spreadsheets take them.
 */
export function fromTsv(text: string): string[][] {
  const rows: string[][] = [[]]
  let at = 0
  while (at <= text.length) {
    const row = rows[rows.length - 1]!
    const quoted = text[at] === '"' ? readQuoted(text, at) : null
    const end = quoted ? quoted.end : fieldEnd(text, at)
    row.push(quoted ? quoted.field : text.slice(at, end))
    if (text[end] === "\t") {
      at = end + 1
    } else if (end < text.length) {
      at = end + (text.startsWith("\r\n", end) ? 2 : 1)
      // A line break at the very end closes the last row; it does not begin another.
      if (at >= text.length) break
      rows.push([])
    } else {
      break
    }
  }
  return rows
}

function fieldEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== "\t" && text[at] !== "\n" && text[at] !== "\r") at++
  return at
}

function readQuoted(text: string, from: number): { field: string; end: number } | null {
  let field = ""
  let at = from + 1
  while (at < text.length) {
    if (text[at] !== '"') {
      field += text[at++]
    } else if (text[at + 1] === '"') {
      field += '"'
      at += 2
    } else {
      const next = text[at + 1]
      const closed = next === undefined || next === "\t" || next === "\n" || next === "\r"
      return closed ? { field, end: at + 1 } : null
    }
  }
  return null
}

/** The cells of the first table in a piece of HTML, or null. Some programs offer nothing else. */
export function fromHtml(html: string): string[][] | null {
  const table = new DOMParser().parseFromString(html, "text/html").querySelector("table")
  if (!table) return null
  return [...table.rows].map(row => [...row.cells].map(cell => (cell.textContent ?? "").replace(/\u00a0/g, " ").trim()))
}

/** What a paste brings. Plain text first: it is what the other spreadsheet shows, without its markup. */
export function pasted(data: DataTransfer): string[][] {
  const text = data.getData("text/plain")
  if (text !== "") return fromTsv(text)
  return fromHtml(data.getData("text/html")) ?? []
}
