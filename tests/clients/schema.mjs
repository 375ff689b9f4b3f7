// What `docs/live-protocol.schema.json` says of one message of the live door.

import { readFileSync } from "node:fs"
import Ajv2020 from "ajv/dist/2020.js"

const ID = "urn:roundtable:live-protocol"

export const schema = JSON.parse(readFileSync(new URL("../../docs/live-protocol.schema.json", import.meta.url), "utf8"))

// The rules for which fields a change has stand beside its list of fields, not in it.
const ajv = new Ajv2020.default({ strict: true, strictTypes: false, strictRequired: false, allErrors: true })
ajv.addSchema(schema)

/** `FromClient` and `FromServer`: a check for each type of message, so that an error is about that type. */
const checks = Object.fromEntries(
  ["FromClient", "FromServer"].map(direction => {
    const names = schema.$defs[direction].oneOf.map(({ $ref }) => $ref.split("/").at(-1))
    const check = name => [schema.$defs[name].properties.type.const, ajv.getSchema(`${ID}#/$defs/${name}`)]
    return [direction, new Map(names.map(check))]
  }),
)

export const typesOf = direction => [...checks[direction].keys()]

/** Why this is no message of this direction; undefined if it is one. */
export function wrongWith(direction, message) {
  const check = checks[direction].get(message?.type)
  if (!check) return `there is no message of type ${JSON.stringify(message?.type)}`
  if (check(message)) return undefined
  return check.errors
    .map(error => `${error.instancePath || "/"} ${error.message} ${JSON.stringify(error.params)}`)
    .join("\n")
}
