// A card next to something on the page: it stays beside it while the page scrolls, and goes when one clicks elsewhere.

export interface Place {
  left: number
  top: number
  width: number
  height: number
}

export interface PopoverSetting {
  /** Asked again whenever things may have moved. */
  anchor(): Place
  className: string
  /** Clicks here do not close it. */
  keep?: (target: Element) => boolean
  closed?(): void
}

const MARGIN = 6

let open: Popover | null = null

/** One at a time: the next one closes the last. */
export class Popover {
  readonly element = document.createElement("div")
  #stop = new AbortController()

  constructor(private readonly setting: PopoverSetting) {
    open?.close()
    open = this
    this.element.className = `popover ${setting.className}`
    document.body.append(this.element)
    const { signal } = this.#stop
    addEventListener("resize", () => this.place(), { signal })
    addEventListener("scroll", event => !this.element.contains(event.target as Node) && this.place(), { capture: true, signal })
    addEventListener("pointerdown", event => this.#pressed(event.target as Element), { capture: true, signal })
    // A key in here is not meant for the table, even when what it was pressed in is gone by the time it gets there.
    this.element.addEventListener("keydown", event => {
      event.stopPropagation()
      if (event.key === "Escape") this.close()
    })
  }

  /** Below what it belongs to, above it where there is more room, and always inside the window. */
  place(): void {
    const anchor = this.setting.anchor()
    const { style } = this.element
    style.maxHeight = ""
    const { width, height } = this.element.getBoundingClientRect()
    const below = innerHeight - (anchor.top + anchor.height) - 2 * MARGIN
    const above = anchor.top - 2 * MARGIN
    const up = height > below && above > below
    style.left = `${Math.max(MARGIN, Math.min(anchor.left, innerWidth - width - MARGIN))}px`
    style.maxHeight = `${Math.max(120, up ? above : below)}px`
    style.top = up ? "" : `${anchor.top + anchor.height + 2}px`
    style.bottom = up ? `${innerHeight - anchor.top + 2}px` : ""
  }

  close(): void {
    if (open === this) open = null
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.element.remove()
    this.setting.closed?.()
  }

  #pressed(target: Element): void {
    if (!this.element.contains(target) && !this.setting.keep?.(target)) this.close()
  }
}
