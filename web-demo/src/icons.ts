// The few line icons of the page, drawn in the text colour.

const PATHS: Record<string, string> = {
  undo: "M4 7h7.5a3.5 3.5 0 0 1 0 7H7M4 7l3-3M4 7l3 3",
  redo: "M14 7H6.5a3.5 3.5 0 0 0 0 7H11m3-7-3-3m3 3-3 3",
  "row-add": "M3 4h12M3 8h12M9 11v5m-2.5-2.5h5",
  "row-delete": "M3 4h12M3 8h12M6.5 13.5h5",
  window: "M6 6V3.5h8.5V12H12M3.5 6H12v8.5H3.5z",
  link: "M7.5 10.5l3-3M8 6l1.7-1.7a2.8 2.8 0 0 1 4 4L12 10m-2 2-1.7 1.7a2.8 2.8 0 0 1-4-4L6 8",
  import: "M9 2.5v8M5.8 7.5 9 10.7l3.2-3.2M3 11.5v3.5h12v-3.5",
  export: "M9 10.7v-8M5.8 5.7 9 2.5l3.2 3.2M3 11.5v3.5h12v-3.5",
  code: "M6.5 5 2.5 9l4 4m5-8 4 4-4 4",
  moon: "M14.5 10.8A6 6 0 0 1 7.2 3.5a6 6 0 1 0 7.3 7.3z",
  sun: "M9 5.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4M9 1.8v1.4m0 11.6v1.4M1.8 9h1.4m11.6 0h1.4M3.9 3.9l1 1m8.2 8.2 1 1m0-10.2-1 1m-8.2 8.2-1 1",
}

export function icon(name: keyof typeof PATHS | string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  svg.setAttribute("viewBox", "0 0 18 18")
  svg.setAttribute("aria-hidden", "true")
  svg.classList.add("icon")
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path")
  path.setAttribute("d", PATHS[name] ?? "")
  svg.append(path)
  return svg
}
