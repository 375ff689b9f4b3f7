// The few line icons of the page, drawn in the text colour.

const PATHS: Record<string, string> = {
  undo: "M4 7h7.5a3.5 3.5 0 0 1 0 7H7M4 7l3-3M4 7l3 3",
  redo: "M14 7H6.5a3.5 3.5 0 0 0 0 7H11m3-7-3-3m3 3-3 3",
  "row-add": "M3 4h12M3 8h12M9 11v5m-2.5-2.5h5",
  "row-delete": "M3 4h12M3 8h12M6.5 13.5h5",
  window: "M6 6V3.5h8.5V12H12M3.5 6H12v8.5H3.5z",
  link: "M7.5 10.5l3-3M8 6l1.7-1.7a2.8 2.8 0 0 1 4 4L12 10m-2 2-1.7 1.7a2.8 2.8 0 0 1-4-4L6 8",
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
