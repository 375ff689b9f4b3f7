// F6 leads from one part of the page to the next, Shift+F6 back: in the table Tab moves from cell to cell and never out.

const REGIONS = [".bar", ".tools", "#views", "#grid", "#totals"]
const TABLE = REGIONS.indexOf("#grid")
const FIELDS = "button:enabled:not([tabindex='-1']), input:enabled, a[href]"

/** Escape on a button beside the table leads back to it. */
export function watchRegions(focusTable: () => void): void {
  addEventListener("keydown", event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    const held = document.activeElement
    const at = REGIONS.findIndex(region => held?.closest(region))
    if (event.key === "Escape" && at >= 0 && at !== TABLE && held instanceof HTMLButtonElement) focusTable()
    if (event.key !== "F6" || document.querySelector("dialog[open]")) return
    event.preventDefault()
    const step = event.shiftKey ? REGIONS.length - 1 : 1
    for (let next = (at < 0 ? TABLE : at) + step; ; next += step) {
      const region = next % REGIONS.length
      if (region === TABLE) return focusTable()
      const fields = [...document.querySelectorAll<HTMLElement>(FIELDS.replaceAll(/(^|, )/g, `$1${REGIONS[region]} `))]
      const first = fields.find(field => field.checkVisibility())
      if (first) return first.focus()
    }
  })
}
