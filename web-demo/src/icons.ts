// The few line icons of the page, drawn in the text colour.

export const PATHS: Record<string, string> = {
  undo: "M4 7h7.5a3.5 3.5 0 0 1 0 7H7M4 7l3-3M4 7l3 3",
  redo: "M14 7H6.5a3.5 3.5 0 0 0 0 7H11m3-7-3-3m3 3-3 3",
  "row-add": "M3 4h12M3 8h12M9 11v5m-2.5-2.5h5",
  "row-delete": "M3 4h12M3 8h12M6.5 13.5h5",
  window: "M6 6V3.5h8.5V12H12M3.5 6H12v8.5H3.5z",
  link: "M7.5 10.5l3-3M8 6l1.7-1.7a2.8 2.8 0 0 1 4 4L12 10m-2 2-1.7 1.7a2.8 2.8 0 0 1-4-4L6 8",
  import: "M9 2.5v8M5.8 7.5 9 10.7l3.2-3.2M3 11.5v3.5h12v-3.5",
  export: "M9 10.7v-8M5.8 5.7 9 2.5l3.2 3.2M3 11.5v3.5h12v-3.5",
  code: "M6.5 5 2.5 9l4 4m5-8 4 4-4 4",
  close: "M5 5l8 8m0-8-8 8",
  up: "M5 11l4-4 4 4",
  down: "M5 7l4 4 4-4",
  plus: "M9 4v10M4 9h10",
  filter: "M3 5h12M5.5 9h7M8 13h2",
  sort: "M5.5 4v10m0 0L3 11.500m2.500 2.500L8 11.500M12.500 14V4m0 0L10 6.500M12.500 4 15 6.500",
  columns: "M3.500 4h11v10h-11zM7.200 4v10M10.800 4v10",
  group: "M3 4.500h12M6 8h9M3 11.500h12M6 15h9",
  notice: "M9 3 2.500 14.500h13zM9 7.500v3.200m0 1.900v.1",
  moon: "M14.5 10.8A6 6 0 0 1 7.2 3.5a6 6 0 1 0 7.3 7.3z",
  sun: "M9 5.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4M9 1.8v1.4m0 11.6v1.4M1.8 9h1.4m11.6 0h1.4M3.9 3.9l1 1m8.2 8.2 1 1m0-10.2-1 1m-8.2 8.2-1 1",
  "kind-text": "M4 5.5V4h10v1.5M9 4v10M7.2 14h3.6",
  "kind-longtext": "M3.5 4.5h11M3.5 7.5h11M3.5 10.5h11M3.5 13.5h6",
  "kind-number": "M7 3.5 5.5 14.5M12.5 3.5 11 14.5M3.8 7h11M3.2 11h11",
  "kind-counter": "M3.5 6.5h5M6 4v5M9.5 12h5M14 3.5l-10 11",
  "kind-checkbox": "M4.5 3.5h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zM6.2 9.2l2 2 3.8-4.2",
  "kind-date": "M4.5 4.5h9a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1zM3.5 8h11M6.5 2.8v3M11.5 2.8v3",
  "kind-select": "M9 3.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 9 3.2M6.5 8l2.5 2.6L11.5 8",
  "kind-multiselect": "M3 5.2l1.2 1.2L6.4 4M3 12.2l1.2 1.2 2.2-2.4M9 5.4h6M9 12.4h6",
  "kind-link": "M7.5 10.5l3-3M8 6l1.7-1.7a2.8 2.8 0 0 1 4 4L12 10m-2 2-1.7 1.7a2.8 2.8 0 0 1-4-4L6 8",
  caret: "M5.5 7.5 9 11l3.5-3.5",
  add: "M9 4v10M4 9h10",
  next: "M7 5l4 4-4 4",
  back: "M11 5 7 9l4 4",
  tick: "M4 9.5l3.2 3.2L14 5.5",
  pencil: "M4 14l.7-3L12 3.8l2.2 2.2L7 13.3zM10.6 5.2l2.2 2.2",
  left: "M14 9H4m4-4L4 9l4 4",
  right: "M4 9h10m-4-4 4 4-4 4",
  "insert-left": "M10.5 3.5h4v11h-4zM6.5 9h-4m2-2v4",
  "insert-right": "M3.5 3.5h4v11h-4zM11.5 9h4m-2-2v4",
  fit: "M3 4v10M15 4v10M5.5 9h7M7 7.2 5.2 9 7 10.8M11 7.2 12.8 9 11 10.8",
  trash: "M3.5 5h11M7 5V3.5h4V5M5 5l.6 9.5h6.8L13 5",
  restore: "M4 7h7.5a3.5 3.5 0 0 1 0 7H7M4 7l3-3M4 7l3 3",
  options: "M6.5 5h8M6.5 9h8M6.5 13h8M3.5 5h.01M3.5 9h.01M3.5 13h.01",
  convert: "M3.5 6.5h9l-2.5-3M14.5 11.5h-9l2.5 3",
  grip: "M7 5h.01M11 5h.01M7 9h.01M11 9h.01M7 13h.01M11 13h.01",
  cross: "M5 5l8 8M13 5l-8 8",
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
