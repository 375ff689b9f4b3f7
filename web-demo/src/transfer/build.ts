// Elements in one expression: a name, what to set on it, and what is inside.

type Attributes = Record<string, string | boolean | null | ((event: Event) => void)>

/** `onclick` and the like listen, `false` and `null` leave an attribute out. Text is always text, never HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...inside: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.replace(/^on/, ""), value)
    else if (value === true) element.setAttribute(key, "")
    else if (typeof value === "string") element.setAttribute(key, value)
  }
  element.append(...inside)
  return element
}
