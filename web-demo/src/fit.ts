// How wide a column must be for what is in it to be seen.

import { KIND_NAMES } from "./schema"
import type { Grid } from "./grid"
import type { Column, Model } from "./model"
import { isIds, show } from "./values"

/** Measuring takes a microsecond a cell; beyond so many rows the rest is likely no wider. */
const MAX_MEASURED = 5000
const WIDEST = 480

export function fitted(grid: Grid, model: Model, column: Column): number {
  const pencil = document.createElement("canvas").getContext("2d")!
  const family = getComputedStyle(grid.element).fontFamily
  pencil.font = `600 12px ${family}`
  const sign = KIND_NAMES[column.kind] ? 62 : 40
  let widest = pencil.measureText(column.name).width + sign
  pencil.font = `13px ${family}`
  for (const row of model.rows().slice(0, MAX_MEASURED)) {
    const value = model.get(row, column.id)
    if (value === null || typeof value === "boolean") continue
    const text = show(value, column).split("\n", 1)[0]!
    const chips = column.options.length > 0 ? (isIds(value) ? value.length : 1) * 18 : 0
    const tools = column.kind === "counter" ? 40 : column.kind === "date" ? 18 : 0
    widest = Math.max(widest, pencil.measureText(text).width + 22 + chips + tools)
  }
  return Math.min(WIDEST, Math.ceil(widest))
}
