// A card next to something on the page: it stays beside it while the page scrolls, and goes with Escape, with a click
// elsewhere, or with its own button.

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
  /** The button it belongs to. Pressing it again closes the card, see `closedBy`. */
  opener?: Element | null
  /** Clicks here do not close it. */
  keep?: (target: Element) => boolean
  closed?(): void
}

const MARGIN = 6

let open: Popover | null = null

/** Closes the card that this button has opened; false if there is none. */
export function closedBy(opener: Element | null | undefined): boolean {
  if (!opener || open?.opener !== opener) return false
  open.close()
  return true
}

/** Beside an element, and where it was last, once it is drawn anew. */
export function beside(element: Element): () => Place {
  let last = element.getBoundingClientRect()
  return () => (last = element.isConnected ? element.getBoundingClientRect() : last)
}

/** A card with a form or a text under its button, which gets the focus back. Returns nothing if it was open: it is closed. */
export function openCard(opener: HTMLElement, label: string, className: string, content: HTMLElement, closed: () => void): void {
  if (closedBy(opener)) return
  const card = new Popover({
    anchor: beside(opener),
    className,
    opener,
    closed: () => {
      sizes.disconnect()
      closed()
    },
  })
  const { element } = card
  element.setAttribute("role", "dialog")
  element.ariaLabel = label
  element.tabIndex = -1
  element.append(content)
  const sizes = new ResizeObserver(() => card.place())
  sizes.observe(content)
  card.place()
  const first = element.querySelector<HTMLElement>("[data-first]") ?? element.querySelector<HTMLElement>(FIELDS) ?? element
  first.focus()
}

const FIELDS = "select:enabled, input:enabled, button:enabled, a[href]"

/** One at a time: the next one closes the last. */
export class Popover {
  readonly element = document.createElement("div")
  #stop = new AbortController()

  constructor(private readonly setting: PopoverSetting) {
    open?.close()
    open = this
    setting.opener?.setAttribute("aria-expanded", "true")
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
    // What had the focus in here may be gone.
    addEventListener("keydown", event => this.#lost(event), { capture: true, signal })
  }

  get opener(): Element | null {
    return this.setting.opener ?? null
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
    this.opener?.setAttribute("aria-expanded", "false")
    this.setting.closed?.()
  }

  #lost(event: KeyboardEvent): void {
    if (event.key !== "Escape" || document.activeElement !== document.body) return
    event.stopPropagation()
    this.close()
  }

  #pressed(target: Element): void {
    if (this.element.contains(target) || this.opener?.contains(target) || this.setting.keep?.(target)) return
    this.close()
  }
}
