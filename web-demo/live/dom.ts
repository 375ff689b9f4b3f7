// Few words for what the page does all the time.

export const $ = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E

export function el<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  props: Partial<HTMLElementTagNameMap[T]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[T] {
  const element = Object.assign(document.createElement(tag), props)
  element.append(...children)
  return element
}

/** Gives an element the colour of a person, for the stylesheet to use. */
export const paint = (element: HTMLElement, color: number): void => element.style.setProperty("--person", `var(--person-${color})`)

/** Only what is new: what reads the page aloud would say it again otherwise. */
export function put(id: string, text: string): void {
  if ($(id).textContent !== text) $(id).textContent = text
}
