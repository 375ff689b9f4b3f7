// How long an edit takes from the key that ends it in one window until it is drawn in another.

/** What is measured may be slow; only what never comes is a failure. */
const PATIENCE_MS = 300_000

export class Stopwatch {
  /** `from` types into a column, `to` shows it. */
  static async between(from, to, column) {
    await to.page.evaluate(column => {
      globalThis.seen = new Map()
      new MutationObserver(() => {
        for (const cell of document.querySelectorAll(`revogr-data[col-type="rgCol"] .rgCell[data-rgcol="${column}"]`)) {
          const text = cell.textContent
          if (text && !globalThis.seen.has(text)) globalThis.seen.set(text, performance.timeOrigin + performance.now())
        }
      }).observe(document.querySelector("revo-grid"), { subtree: true, childList: true, characterData: true })
    }, column)
    await from.page.evaluate(() => {
      addEventListener(
        "keydown",
        // When the key was pressed, which a busy page hears later.
        event => event.key === "Enter" && (globalThis.pressed = performance.timeOrigin + event.timeStamp),
        true,
      )
    })
    return Object.assign(new Stopwatch(), { from, to })
  }

  /** Types a word that has not been typed before into the active cell; milliseconds until the other window has drawn it. */
  async time(word) {
    await this.from.type(word)
    await this.from.press("Enter")
    await this.to.page.waitForFunction(word => globalThis.seen.has(word), word, { timeout: PATIENCE_MS, polling: "raf" })
    const pressed = await this.from.page.evaluate(() => globalThis.pressed)
    return (await this.to.page.evaluate(word => globalThis.seen.get(word), word)) - pressed
  }
}

/** The value that a share of all do not exceed. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
