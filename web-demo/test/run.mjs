// Bundles the tests as they are, TypeScript and all, into one folder and runs them there.

import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { readdir, rm } from "node:fs/promises"
import path from "node:path"
import { fileURLToPath } from "node:url"

const here = path.dirname(fileURLToPath(import.meta.url))
const out = path.join(here, "out")
await rm(out, { recursive: true, force: true })
const tests = (await readdir(here)).filter(name => name.endsWith(".test.ts"))
await build({
  entryPoints: tests.map(name => path.join(here, name)),
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  outdir: out,
  outExtension: { ".js": ".mjs" },
  logLevel: "warning",
})
const files = tests.map(name => path.join(out, name.replace(/\.ts$/, ".mjs")))
// Browsers have it; Node keeps it behind a flag, and old ones have no such flag.
const events = "--experimental-eventsource"
const flags = process.allowedNodeEnvironmentFlags.has(events) ? [events] : []
process.exit(spawnSync(process.execPath, [...flags, "--test", ...files], { stdio: "inherit" }).status ?? 1)
