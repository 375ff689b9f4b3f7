// Writes dist/sample.csv and dist/sample.json: daily weather of Seattle, a work of the United States government.
//
// The data is NOAA's, as the package vega-datasets carries it; here its columns get names that people read.

import { readFile, writeFile } from "node:fs/promises"
import path from "node:path"

const HEADER = ["Date", "Precipitation (mm)", "High (°C)", "Low (°C)", "Wind (m/s)", "Weather", "Checked", "Note"]

/** What the file cannot say of a column: the order and the colours of its options. */
const WEATHER = [
  { name: "sun", color: "gold" },
  { name: "drizzle", color: "teal" },
  { name: "rain", color: "blue" },
  { name: "snow", color: "purple" },
  { name: "fog", color: "gray" },
]

export async function writeSample(here, dist) {
  const csv = await readFile(path.join(here, "node_modules/vega-datasets/data/seattle-weather.csv"), "utf8")
  const [names, ...lines] = csv.trim().split(/\r?\n/)
  if (names !== "date,precipitation,temp_max,temp_min,wind,weather") throw new Error(`unexpected columns: ${names}`)
  // Two columns are added for people to work in: one to tick, one to write into.
  const rows = lines.map(line => `${line},false,`)
  await writeFile(path.join(dist, "sample.csv"), [HEADER.join(","), ...rows, ""].join("\n"))
  const about = {
    title: "Seattle weather, day by day",
    source: "NOAA National Climatic Data Center, through vega-datasets",
    licence: "U.S. government work, public domain",
    link: "https://www.ncdc.noaa.gov/cdo-web/datatools/records",
    columns: { Weather: { kind: "select", options: WEATHER } },
  }
  await writeFile(path.join(dist, "sample.json"), `${JSON.stringify(about, null, 2)}\n`)
}
