// Keeps a scroll position that was chosen. RevoGrid tells its parts one after the other, a frame each, where its cells were
// scrolled to, and repeats what it heard up to 60 ms later; on a slow machine it so goes back to a place left since.

/** More places left behind than keys are pressed before RevoGrid has caught up. */
const PLACES = 64

export class Steady {
  #chosen: number | null = null
  /** Where it was before, the newest last. */
  #left: number[] = []

  /** `around`: what holds the scrollbars and the row numbers as well. */
  constructor(
    private readonly element: HTMLElement,
    private readonly side: "scrollTop" | "scrollLeft",
    around: HTMLElement,
  ) {
    element.addEventListener("scroll", () => this.#look(), { passive: true })
    // Hands go wherever they like.
    const letGo = () => this.#letGo()
    for (const hand of ["wheel", "touchstart", "pointerdown"]) around.addEventListener(hand, letGo, { capture: true, passive: true })
  }

  scrollTo(place: number): void {
    this.#left = [...this.#left, this.element[this.side]].filter(left => !isAbout(left, place)).slice(-PLACES)
    this.#chosen = place
    this.element[this.side] = place
    // There may be less to scroll.
    this.#chosen = this.element[this.side]
  }

  #look(): void {
    const place = this.element[this.side]
    if (this.#chosen !== null && this.#left.some(left => isAbout(left, place))) this.element[this.side] = this.#chosen
  }

  #letGo(): void {
    this.#chosen = null
    this.#left = []
  }
}

/** RevoGrid rounds up to whole pixels. */
const isAbout = (a: number, b: number): boolean => Math.abs(a - b) < 1
