// A workbook with several sheets, made by hand: the smallest that spreadsheets open. Zip without compression, texts inline.

import { crc32 } from "node:zlib"

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
const PACKAGE = "http://schemas.openxmlformats.org/package/2006"
const SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"

/** `sheets`: name -> rows of texts and numbers. */
export function workbook(sheets) {
  const names = Object.keys(sheets)
  const each = draw => names.map((name, i) => draw(name, i + 1)).join("")
  const files = {
    "[Content_Types].xml":
      `<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
      `<Override PartName="/xl/workbook.xml" ContentType="${SHEET}.sheet.main+xml"/>` +
      each((_, n) => `<Override PartName="/xl/worksheets/sheet${n}.xml" ContentType="${SHEET}.worksheet+xml"/>`) +
      "</Types>",
    "_rels/.rels":
      `<Relationships xmlns="${PACKAGE}/relationships">` +
      `<Relationship Id="rId1" Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
    "xl/workbook.xml":
      `<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets>` +
      each((name, n) => `<sheet name="${text(name)}" sheetId="${n}" r:id="rId${n}"/>`) +
      "</sheets></workbook>",
    "xl/_rels/workbook.xml.rels":
      `<Relationships xmlns="${PACKAGE}/relationships">` +
      each((_, n) => `<Relationship Id="rId${n}" Type="${OFFICE}/worksheet" Target="worksheets/sheet${n}.xml"/>`) +
      "</Relationships>",
  }
  names.forEach((name, i) => (files[`xl/worksheets/sheet${i + 1}.xml`] = worksheet(sheets[name])))
  return zip(Object.entries(files).map(([name, content]) => [Buffer.from(name), Buffer.from(XML + content)]))
}

function worksheet(rows) {
  const cell = (value, row, column) => {
    const place = `${String.fromCharCode(65 + column)}${row + 1}`
    if (typeof value === "number") return `<c r="${place}"><v>${value}</v></c>`
    return `<c r="${place}" t="inlineStr"><is><t>${text(value)}</t></is></c>`
  }
  const lines = rows.map((values, row) => `<row r="${row + 1}">${values.map((value, column) => cell(value, row, column)).join("")}</row>`)
  return `<worksheet xmlns="${MAIN}"><sheetData>${lines.join("")}</sheetData></worksheet>`
}

function text(value) {
  return String(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")
}

function zip(files) {
  const parts = []
  const directory = []
  let offset = 0
  for (const [name, content] of files) {
    const about = Buffer.alloc(26)
    about.writeUInt16LE(20, 0) // the version that can read it; no flags, stored
    about.writeUInt16LE(0x21, 8) // 1 January 1980
    about.writeUInt32LE(crc32(content), 10)
    about.writeUInt32LE(content.length, 14)
    about.writeUInt32LE(content.length, 18)
    about.writeUInt16LE(name.length, 22)
    parts.push(Buffer.from("PK\x03\x04", "latin1"), about, name, content)
    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    directory.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), about, place, name)
    offset += 4 + about.length + name.length + content.length
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write("PK\x05\x06", "latin1")
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, listed, end])
}
