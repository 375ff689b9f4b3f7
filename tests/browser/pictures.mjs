// Takes the pictures in docs/pictures: ROUNDTABLE_BIN=../../target/release/roundtable npm run pictures

import { readFile } from "node:fs/promises"
import path from "node:path"
import { test } from "node:test"
import { NOTE, PRECIPITATION, stories } from "./story.mjs"

const folder = path.join(import.meta.dirname, "../../docs/pictures")
const FILE = path.join(import.meta.dirname, "../fixtures/timezones.csv")

stories("pictures", ({ meet, server }) => {
  const options = colorScheme => ({ whole: true, colorScheme, viewport: { width: 1180, height: 680 }, deviceScaleFactor: 2 })
  const shoot = (page, name) => page.screenshot({ path: path.join(folder, `${name}.png`) })

  for (const colors of ["light", "dark"]) {
    test(`a table in the hands of three, ${colors}`, async t => {
      const [ada, grace, linus] = await meet(t, ["Ada Lovelace", "Grace Hopper", "Katherine Johnson"], options(colors))
      await ada.goTo(3, 0)
      await linus.goTo(9, PRECIPITATION)
      await linus.press("Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight")
      await grace.goTo(6, NOTE)
      await grace.type("first snow soon?")
      await ada.until(() => document.querySelector(".their-cursor.typing .draft")?.textContent === "first snow soon?", null, "the draft")
      await ada.until(() => [...document.querySelectorAll(".their-range")].some(box => !box.hidden), null, "the range")
      await ada.status("saved")
      await shoot(ada.page, `page-${colors}`)
    })
  }

  test("a view with a filter, groups and sums", async t => {
    const [ada, grace] = await meet(t, ["Ada Lovelace", "Grace Hopper"], { ...options("light"), deviceScaleFactor: 1.75 })
    const { page } = ada
    const open = name => page.locator("#views").getByRole("button", { name }).click()
    const sum = async (column, what) => {
      await page.locator("#totals").getByRole("button", { name: `${column}:` }).click()
      await page.getByRole("menuitemradio", { name: what, exact: true }).click()
    }
    await open("Filter")
    await page.getByLabel("Column", { exact: true }).selectOption({ label: "Low (°C)" })
    await page.getByLabel("Operator", { exact: true }).selectOption({ label: "<" })
    await page.getByLabel("Value", { exact: true }).fill("-3.7")
    await ada.press("Escape")
    await page.getByRole("button", { name: "Filter · 1" }).waitFor()
    await open("Group")
    await page.getByLabel("Group by").selectOption({ label: "Weather" })
    await ada.press("Escape")
    await open("Sort")
    await page.getByLabel("Sort by").selectOption({ label: "Low (°C)" })
    await ada.press("Escape")
    await sum("Precipitation (mm)", "Sum")
    await sum("Low (°C)", "Min")
    await sum("High (°C)", "Max")
    await sum("Wind (m/s)", "Average")
    await page.getByRole("button", { name: "Save as view" }).click()
    await ada.type("Frost")
    await ada.press("Enter")
    await grace.page.getByRole("tab", { name: "Frost" }).click()
    await grace.goTo(7, 3)
    await ada.othersAre(1)
    await page.locator("#views").getByRole("button", { name: "Filter" }).click()
    await ada.status("saved")
    await shoot(page, "view")
  })

  test("a file becomes a table", async t => {
    const [ada] = await meet(t, ["Ada Lovelace"], options("light"))
    const choosing = ada.page.waitForEvent("filechooser")
    await ada.page.getByRole("button", { name: "Import", exact: true }).click()
    await (await choosing).setFiles({ name: "timezones.csv", mimeType: "text/csv", buffer: await readFile(FILE) })
    await ada.page.getByRole("heading", { name: "Import timezones.csv" }).waitFor()
    await ada.page.getByLabel("Kind of record").selectOption("select")
    await shoot(ada.page, "import")
  })

  test("the API page", async t => {
    const [ada] = await meet(t, ["Ada Lovelace"], { ...options("light"), deviceScaleFactor: 1.5 })
    await ada.status("saved")
    const { page } = ada
    await page.goto(`${server().url}/docs?table=${new URL(page.url()).hash.replace("#automerge:", "")}`)
    await page.waitForSelector("html[data-ready=true]")
    await page.evaluate(() => {
      const tag = document.querySelector('.opblock-tag[data-tag="tables"]')
      scrollTo(0, tag.getBoundingClientRect().top + scrollY - 70)
    })
    await shoot(page, "api")
  })
})
