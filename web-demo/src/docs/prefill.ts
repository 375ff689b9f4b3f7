// Puts a table's id into the fields of an API description, so that "Execute" works on that table at once.

interface Parameter {
  $ref?: string
  in?: string
  name?: string
  example?: unknown
}

/** An OpenAPI description, as far as it is looked into here. */
export interface Description {
  servers?: { url: string }[]
  paths?: Record<string, Record<string, unknown>>
  components?: { parameters?: Record<string, Parameter> }
}

/** How the paths call what may be named by a table's id. A table is a document, and its room goes by its id too. */
const NAMES = new Set(["table", "document", "documentId"])

/** The id out of an id or an address; null for what is neither. */
export function tableId(given: string | null): string | null {
  const id = (given ?? "").replace(/^automerge:/, "")
  return /^[1-9A-HJ-NP-Za-km-z]{20,40}$/.test(id) ? id : null
}

/** A copy of the description that names the server, and the table where one is wanted. */
export function prefill(description: Description, server: string, table: string | null): Description {
  const filled = structuredClone(description)
  filled.servers = [{ url: server }]
  if (!table) return filled
  const fill = (parameter: unknown) => {
    const { in: place, name } = parameter as Parameter
    if (place === "path" && NAMES.has(name ?? "")) (parameter as Parameter).example = table
  }
  Object.values(filled.components?.parameters ?? {}).forEach(fill)
  for (const path of Object.values(filled.paths ?? {})) {
    // Beside the operations a path may have parameters of its own, which hold for all of them.
    const lists = [path, ...Object.values(path)].map(part => (part as { parameters?: unknown } | null)?.parameters)
    for (const list of lists) if (Array.isArray(list)) list.forEach(fill)
  }
  return filled
}
