// The page about the API: asks this server for its description and hands it to Swagger UI, with the table one came from
// filled in, so that every call can be tried out on it.

import { startTheme } from "../theme"
import { prefill, tableId, type Description } from "./prefill"

/** What the script beside this one leaves on the window. */
declare const SwaggerUIBundle: (settings: Record<string, unknown>) => unknown

const $ = (selector: string) => document.querySelector<HTMLElement>(selector)!

async function start(): Promise<void> {
  startTheme($("#theme") as HTMLButtonElement)
  followTheme()
  const table = tableId(new URLSearchParams(location.search).get("table"))
  if (table) void nameTable(table)
  const answer = await fetch("/v1/openapi.json")
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
  const spec = prefill((await answer.json()) as Description, location.origin, table)
  $("#api").replaceChildren()
  SwaggerUIBundle({
    spec,
    domNode: $("#api"),
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    tryItOutEnabled: true,
    // Nothing about this server is sent to somebody else's.
    validatorUrl: null,
    onComplete: () => (document.documentElement.dataset.ready = "true"),
  })
}

/** Swagger UI has dark colours of its own, behind a class. */
function followTheme(): void {
  const root = document.documentElement
  const follow = () => root.classList.toggle("dark-mode", root.dataset.theme === "dark")
  new MutationObserver(follow).observe(root, { attributeFilter: ["data-theme"] })
  follow()
}

/** Says which table the fields are filled in with, and leads back to it. */
async function nameTable(table: string): Promise<void> {
  const note = $("#about-table")
  const back = document.createElement("a")
  back.href = `/#automerge:${table}`
  back.textContent = "this table"
  note.replaceChildren("The fields are filled in for ", back)
  note.hidden = false
  try {
    const answer = await fetch(`/v1/tables/${table}`)
    const { title } = (await answer.json()) as { title?: unknown }
    if (answer.ok && typeof title === "string" && title) back.textContent = `“${title}”`
  } catch {
    // Without its title the link is as good.
  }
}

start().catch(error => {
  const note = document.createElement("p")
  note.className = "note"
  note.setAttribute("role", "alert")
  note.textContent = `The description of the API could not be loaded: ${error instanceof Error ? error.message : error}.`
  $("#api").replaceChildren(note)
})
