// Stories about columns: what they are called, where they stand, of what kind they are, and what their cells are like.

import assert from "node:assert/strict"
import { test } from "node:test"
import { NOTE, PRECIPITATION, WEATHER, stories } from "./story.mjs"

const WIDE = { viewport: { width: 1720, height: 800 } }
const CHECKED = 6
/** The first column behind those of the sample. */
const ADDED = 8

const NAMES = ["Date", "Precipitation (mm)", "High (°C)", "Low (°C)", "Wind (m/s)", "Weather", "Checked", "Note"]

const header = (window, name) => window.page.locator("revogr-header .rgHeaderCell").filter({
  has: window.page.locator(".name", { hasText: new RegExp(`^${name.replace(/[()/]/g, "\\$&")}$`) }),
})

async function headersAre(window, names) {
  await window.until(
    names => {
      const cells = [...document.querySelectorAll("revogr-header .rgHeaderCell:has(.name)")]
      cells.sort((a, b) => Number(a.dataset.rgcol) - Number(b.dataset.rgcol))
      return cells.map(cell => cell.querySelector(".name").textContent).join("|") === names.join("|")
    },
    names,
    `the columns ${names.join(", ")}`,
  )
}

/** Opens the menu of a column with the mouse and goes down its items. */
async function choose(window, name, ...items) {
  await header(window, name).hover()
  await header(window, name).getByRole("button", { name: `Menu of column ${name}` }).click()
  for (const item of items) await window.page.getByRole(item.role ?? "menuitem", { name: item.name ?? item }).click()
}

const kind = name => ({ role: "menuitemradio", name: new RegExp(`^${name}$`) })

async function setKind(window, column, name) {
  await choose(window, column, "Kind", kind(name))
}

/** Adds a column behind the others and gives it a name. */
async function add(window, kindName, name) {
  await window.page.locator(".add-column").click()
  await window.page.getByRole("menuitem", { name: new RegExp(`^${kindName}$`) }).click()
  await window.page.locator(".rename").waitFor()
  await window.type(name)
  await window.press("Enter")
}

/** The chips of a cell with the hue each of them has. */
async function chipsAre(window, row, col, chips) {
  await window.until(
    ([row, col, chips]) => {
      const cell = document.querySelector(
        `revogr-data[type="rgRow"][col-type="rgCol"] .rgCell[data-rgrow="${row}"][data-rgcol="${col}"]`,
      )
      const seen = [...(cell?.querySelectorAll(".chip") ?? [])].map(chip => `${chip.textContent} ${/hue-(\w+)/.exec(chip.className)?.[1]}`)
      return seen.join(", ") === chips.join(", ")
    },
    [row, col, chips],
    `the chips ${chips.join(", ")} in ${row}:${col}`,
  )
}

stories("columns", ({ meet }) => {
  test("one renames, adds, moves and deletes columns while the other types", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await grace.goTo(3, NOTE)
    await grace.type("half a sen")
    await header(ada, "Note").dblclick()
    await ada.type("Remarks")
    await ada.press("Enter")
    await headersAre(grace, [...NAMES.slice(0, 7), "Remarks"])
    await choose(ada, "Date", "Insert left")
    await ada.type("First")
    await ada.press("Enter")
    await choose(ada, "Remarks", "Move left")
    await headersAre(grace, ["First", ...NAMES.slice(0, 6), "Remarks", "Checked"])
    await add(ada, "Number", "Last")
    await headersAre(grace, ["First", ...NAMES.slice(0, 6), "Remarks", "Checked", "Last"])
    // The editor has moved along with its column.
    await grace.type("tence")
    await grace.press("Enter")
    await ada.sees(3, 7, "half a sentence")
    // What is typed into a column that goes meanwhile is kept in it.
    await grace.goTo(5, 7)
    await grace.type("not lost")
    await choose(ada, "Remarks", "Delete column")
    await headersAre(grace, ["First", ...NAMES.slice(0, 7), "Last"])
    await grace.press("Enter")
    await grace.page.getByRole("button", { name: "Bring the column back" }).click()
    await headersAre(ada, ["First", ...NAMES.slice(0, 6), "Remarks", "Checked", "Last"])
    await ada.sees(5, 7, "not lost")
    await ada.status("saved")
  })

  test("a header is pulled to another place, and a line shows where it would go", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    const from = await header(ada, "Weather").boundingBox()
    const to = await header(ada, "Precipitation (mm)").boundingBox()
    await ada.page.mouse.move(from.x + 60, from.y + 15)
    await ada.page.mouse.down()
    await ada.page.mouse.move(to.x + 30, to.y + 15, { steps: 5 })
    const line = await ada.page.locator(".drop-line").boundingBox()
    assert.ok(Math.abs(line.x - to.x) < 4, "the line is where the column would go")
    await ada.page.mouse.up()
    await headersAre(grace, ["Date", "Weather", ...NAMES.slice(1, 5), "Checked", "Note"])
    await grace.sees(0, 1, "drizzle")
    await ada.press("Control+z")
    await headersAre(grace, NAMES)
    // Let go with Escape, it stays.
    await ada.page.mouse.move(from.x + 60, from.y + 15)
    await ada.page.mouse.down()
    await ada.page.mouse.move(to.x + 30, to.y + 15, { steps: 5 })
    await ada.press("Escape")
    await ada.page.mouse.up()
    await headersAre(ada, NAMES)
  })

  test("a deleted column comes back with undo, or from the list of deleted ones", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    const without = NAMES.filter(name => name !== "Weather")
    await choose(ada, "Weather", "Delete column")
    await headersAre(grace, without)
    await ada.press("Control+z")
    await headersAre(grace, NAMES)
    await ada.press("Control+Shift+z")
    await headersAre(grace, without)
    await grace.page.locator(".add-column").click()
    await grace.page.getByRole("menuitem", { name: "Deleted columns" }).click()
    await grace.page.getByRole("menuitem", { name: /Weather.*by Ada/ }).click()
    await headersAre(ada, NAMES)
    await ada.sees(0, WEATHER, "drizzle")
  })

  test("everything about a column can be done without a mouse", async t => {
    const [ada] = await meet(t, ["Ada"], WIDE)
    await ada.goTo(0, WEATHER)
    await ada.press("Shift+F10")
    await ada.page.getByRole("menu", { name: "Column Weather" }).waitFor()
    await ada.press("ArrowDown", "ArrowRight")
    await ada.page.getByRole("menu", { name: "Kind" }).waitFor()
    assert.equal(await ada.page.evaluate(() => document.activeElement.getAttribute("aria-checked")), "true")
    await ada.press("ArrowLeft", "Escape")
    assert.equal(await ada.page.evaluate(() => document.activeElement.ariaLabel), "Weather, row 1: drizzle", "the table has the focus")
    await ada.press("Shift+F10")
    await ada.type("r")
    await ada.press("Enter")
    await ada.page.locator(".rename").waitFor()
    await ada.type("Sky")
    await ada.press("Enter")
    await headersAre(ada, NAMES.map(name => (name === "Weather" ? "Sky" : name)))
    await ada.type("fog")
    await ada.press("Enter")
    await ada.sees(0, WEATHER, "fog")
  })

  test("a column fits its content", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await ada.goTo(0, NOTE)
    await ada.type("a remark that is a good deal longer than the column is wide")
    await ada.press("Enter")
    await choose(ada, "Note", "Fit to content")
    await grace.until(
      () => {
        const value = document.querySelector('.rgCell[data-rgrow="0"][data-rgcol="7"] .value')
        return value.scrollWidth <= value.clientWidth && value.textContent.length > 40
      },
      null,
      "the whole remark",
    )
  })

  test("a text becomes a select: what does not fit is marked, kept, and converted when asked", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await setKind(ada, "Weather", "Select")
    await grace.until(
      () => document.querySelector('.rgCell[data-rgrow="1"][data-rgcol="5"].unfitting')?.title.includes("Weather takes one of its options"),
      null,
      "the mark",
    )
    assert.equal(await grace.text(1, WEATHER), "rain", "it is kept as it was")
    await ada.page.getByRole("button", { name: "Convert" }).click()
    await chipsAre(grace, 0, WEATHER, ["drizzle red"])
    await chipsAre(grace, 1, WEATHER, ["rain orange"])
    assert.equal(await grace.page.locator(".unfitting").count(), 0)
    await ada.press("Control+z")
    await grace.until(() => document.querySelectorAll(".unfitting").length > 10, null, "the marks again")
    await ada.press("Control+z")
    await grace.until(() => document.querySelectorAll(".unfitting").length === 0, null, "no marks")
  })

  test("options with colours are picked by typing, and edited for everybody", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await add(ada, "Multiselect", "Tags")
    await headersAre(grace, [...NAMES, "Tags"])
    await ada.goTo(0, ADDED)
    for (const word of ["urgent", "later"]) {
      await ada.type(word)
      await ada.press("Enter")
    }
    await chipsAre(grace, 0, ADDED, ["urgent red", "later orange"])
    await ada.press("Escape")
    // Grace picks one that is there with three letters and two keys; Ada's stay.
    await grace.goTo(1, ADDED)
    await grace.type("lat")
    await grace.press("Enter", "Enter")
    await chipsAre(ada, 1, ADDED, ["later orange"])
    await grace.type("urgent")
    await grace.press("Tab")
    await chipsAre(ada, 2, ADDED, ["urgent red"])
    // Edited while both look: a name, a colour, the order, one option less.
    await choose(ada, "Tags", "Edit options…")
    const card = ada.page.getByRole("dialog", { name: "Options of Tags" })
    const first = card.locator("li").first()
    await first.getByLabel("Name of this option").fill("now")
    await first.getByLabel("Name of this option").press("Enter")
    await first.getByRole("button", { name: "Colour of this option" }).click()
    await first.getByRole("button", { name: "purple" }).click()
    await chipsAre(grace, 0, ADDED, ["now purple", "later orange"])
    await first.getByLabel("Name of this option").press("Alt+ArrowDown")
    await chipsAre(grace, 0, ADDED, ["later orange", "now purple"])
    await card.getByLabel("Name of a new option").fill("never")
    await card.getByLabel("Name of a new option").press("Enter")
    await card.locator("li").nth(2).waitFor()
    await card.locator("li").nth(1).getByRole("button", { name: "Delete this option" }).click()
    await grace.until(() => document.querySelector('.rgCell[data-rgrow="2"][data-rgcol="8"].unfitting'), null, "the mark")
    await ada.press("Escape", "Control+z")
    await chipsAre(grace, 2, ADDED, ["now purple"])
  })

  test("chips can be read in every colour, light and dark", async t => {
    const [ada] = await meet(t, ["Ada"], WIDE)
    await add(ada, "Select", "State")
    await choose(ada, "State", "Edit options…")
    await ada.page.getByLabel("Name of a new option").fill("open")
    await ada.page.getByLabel("Name of a new option").press("Enter")
    await ada.page.getByRole("button", { name: "Colour of this option" }).click()
    const contrasts = () =>
      ada.page.locator(".palette .chip").evaluateAll(chips => {
        // The canvas turns whatever CSS calls a colour into bytes.
        const pencil = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true })
        const light = colour => {
          pencil.fillStyle = colour
          pencil.fillRect(0, 0, 1, 1)
          const [r, g, b] = [...pencil.getImageData(0, 0, 1, 1).data].map(byte => {
            const part = byte / 255
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
          })
          return 0.2126 * r + 0.7152 * g + 0.0722 * b
        }
        return chips.map(chip => {
          const { color, backgroundColor } = getComputedStyle(chip)
          const [less, more] = [light(color), light(backgroundColor)].sort((a, b) => a - b)
          return { chip: chip.className, contrast: (more + 0.05) / (less + 0.05) }
        })
      })
    for (const theme of ["light", "dark"]) {
      await ada.page.evaluate(theme => (document.documentElement.dataset.theme = theme), theme)
      const all = await contrasts()
      assert.equal(all.length, 10)
      for (const { chip, contrast } of all) assert.ok(contrast >= 4.5, `${theme} ${chip}: ${contrast.toFixed(2)}`)
    }
  })

  test("a paste into a select goes by names; what is no option is not written, but can be made one", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await add(ada, "Select", "State")
    await ada.goTo(0, ADDED)
    await ada.type("open")
    await ada.press("Enter")
    await chipsAre(grace, 0, ADDED, ["open red"])
    await ada.goTo(1, ADDED)
    await ada.paste("OPEN\nclosed\nopen")
    await chipsAre(grace, 3, ADDED, ["open red"])
    await chipsAre(grace, 1, ADDED, ["open red"])
    assert.equal(await grace.text(2, ADDED), "")
    await ada.page.getByRole("button", { name: "Add it as an option" }).click()
    await chipsAre(grace, 2, ADDED, ["closed orange"])
    assert.equal(await ada.page.evaluate(() => navigator.clipboard.readText()), "OPEN\nclosed\nopen")
    await ada.goTo(1, ADDED)
    await ada.press("Shift+ArrowDown")
    assert.equal(await ada.copied(), "open\nclosed", "options are copied by their names")
    await ada.press("Delete")
    await chipsAre(grace, 2, ADDED, [])
  })

  test("a value that is none of its column is not pasted, and one is told", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await ada.goTo(2, 0)
    await ada.paste("2024-02-30\t7\n2024-02-29\tmany")
    await grace.sees(2, PRECIPITATION, "7")
    await grace.sees(3, 0, "2024-02-29")
    assert.equal(await grace.text(2, 0), "2012-01-03")
    assert.equal(await grace.text(3, PRECIPITATION), "20.3")
    assert.match(await ada.page.textContent("#toasts"), /2 values were not written; Date takes a date such as 2026-01-31, not “2024-02-30”/)
    await ada.goTo(2, CHECKED)
    await ada.paste("yes")
    await grace.cellAt(2, CHECKED).locator(".check.on").waitFor()
  })

  test("two people write into one long text at once, and every letter of both is there", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await setKind(ada, "Note", "Long text")
    await ada.goTo(0, NOTE)
    await ada.type("middle")
    await grace.sees(0, NOTE, "middle")
    await grace.goTo(0, NOTE)
    await grace.press("Enter")
    await grace.until(() => document.activeElement.value === "middle", null, "the text in the editor")
    await grace.press("Control+Home")
    await Promise.all([ada.type(" and the end"), grace.type("The beginning, ")])
    const whole = "The beginning, middle and the end"
    for (const window of [ada, grace]) {
      await window.until(text => document.querySelector(".editor.open").value === text, whole, whole)
    }
    await ada.press("Enter")
    await ada.type("second line")
    await ada.press("Control+Enter")
    await grace.until(() => document.querySelector(".editor.open").value.endsWith("end\nsecond line"), null, "the second line")
    assert.equal(await ada.page.locator(".editor.open").count(), 0)
    await grace.press("Escape")
    await grace.sees(0, NOTE, `${whole} …`)
    // Typing in a cell that has a text goes on behind it.
    await grace.goTo(0, NOTE)
    await grace.type("!")
    await ada.status("saved")
    await grace.press("Escape")
    assert.match((await grace.everything())[0][NOTE], /./)
    await grace.goTo(0, NOTE)
    assert.equal(await grace.copied(), `"${whole}\nsecond line!"`)
  })

  test("what an input method holds back finds its place among what others wrote meanwhile", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await setKind(ada, "Note", "Long text")
    await ada.goTo(0, NOTE)
    await ada.type("left right")
    await grace.sees(0, NOTE, "left right")
    for (let i = 0; i < 5; i++) await ada.press("ArrowLeft")
    const keys = await ada.device.newCDPSession(ada.page)
    await keys.send("Input.imeSetComposition", { text: "zhong", selectionStart: 5, selectionEnd: 5 })
    await grace.goTo(0, NOTE)
    await grace.press("Enter", "Control+Home")
    await grace.type("Far ")
    await grace.press("Control+End")
    await grace.type(" out")
    await ada.sees(0, NOTE, "Far left right out")
    assert.equal(await ada.page.inputValue(".editor"), "left zhongright", "the composition goes on undisturbed")
    await keys.send("Input.insertText", { text: "中 " })
    for (const window of [ada, grace]) {
      await window.until(() => document.querySelector(".editor.open").value === "Far left 中 right out", null, "all of both")
      await window.status("saved")
    }
    await ada.press("Escape", "Control+z")
    await grace.until(() => document.querySelector(".editor.open").value === "Far left right out", null, "Ada's step back")
  })

  test("the steps of two people on one counter add up", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await add(ada, "Counter", "Votes")
    await headersAre(grace, [...NAMES, "Votes"])
    await ada.goTo(1, ADDED)
    await ada.type("10")
    await ada.press("Enter")
    await grace.sees(1, ADDED, "−+10")
    const vote = async window => {
      await window.cellAt(1, ADDED).hover()
      for (let i = 0; i < 5; i++) await window.cellAt(1, ADDED).locator(".step.up").click()
    }
    await Promise.all([vote(ada), vote(grace)])
    for (const window of [ada, grace]) await window.sees(1, ADDED, "−+20")
    await ada.press("Alt+ArrowDown")
    await grace.sees(1, ADDED, "−+19")
    await ada.press("Control+z", "Control+z")
    await grace.sees(1, ADDED, "−+19")
    await ada.goTo(1, ADDED)
    await ada.type("1.5")
    await ada.press("Enter")
    await ada.page.getByText("Votes takes a whole number").waitFor()
    assert.equal(await grace.text(1, ADDED), "−+19")
  })

  test("links are a list, and addresses in it lead somewhere", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await add(ada, "Link", "Sources")
    await headersAre(grace, [...NAMES, "Sources"])
    await ada.goTo(0, ADDED)
    await ada.type("https://example.org/a,b, row 7, javascript:alert(1)")
    await ada.press("Enter")
    await grace.sees(0, ADDED, "example.org/a,b, javascript:alert(1), row 7")
    const links = await grace.cellAt(0, ADDED).locator("a").evaluateAll(links => links.map(link => link.href))
    assert.deepEqual(links, ["https://example.org/a,b"], "nothing else is a link")
  })

  // What was typed took the place of the whole list: an id that somebody else had added was gone.
  test("a link that somebody adds while a list is being typed stays", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await add(ada, "Link", "Sources")
    await headersAre(grace, [...NAMES, "Sources"])
    await ada.goTo(0, ADDED)
    await ada.type("first")
    await ada.press("Enter")
    await grace.sees(0, ADDED, "first")
    await ada.goTo(0, ADDED)
    await ada.press("F2", "End")
    await ada.type(", mine")
    await grace.goTo(0, ADDED)
    await grace.press("F2", "End")
    await grace.type(", theirs")
    await grace.press("Enter")
    await grace.status("saved")
    await ada.until(() => document.body.textContent.includes("theirs"), null, "what Grace typed")
    await ada.press("Enter")
    for (const window of [ada, grace]) await window.sees(0, ADDED, "first, mine, theirs")
  })

  test("a date is typed or chosen from the calendar", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"], WIDE)
    await ada.goTo(0, 0)
    await ada.type("9.2.2024")
    await ada.press("Enter")
    await grace.sees(0, 0, "2024-02-09")
    await ada.goTo(1, 0)
    await ada.press("Alt+ArrowDown")
    await ada.page.locator(".calendar-input").waitFor()
    // In the browser's calendar: a week later, chosen.
    await ada.press("ArrowDown")
    await ada.until(() => document.querySelector(".calendar-input").value === "2012-01-09", null, "the calendar to move")
    await ada.press("Enter")
    await grace.sees(1, 0, "2012-01-09")
    await ada.press("Control+z")
    await grace.sees(1, 0, "2012-01-02")
  })
})
