// A person at the page, who types: all with the keyboard, but for the two buttons that rows have.

import { ACTORS, COLUMNS, STATES, Values } from "./table.mjs"

const ME = ACTORS.page

export class Typist {
  /** What was typed into cells of which the last writer wins: `{ column, value }`. */
  typed = []
  /** How often it moved a counter by one. */
  steps = 0

  constructor(window, { cable, random }) {
    this.window = window
    this.cable = cable
    this.random = random
    this.values = new Values(ME)
  }

  async edit() {
    const deeds = [
      [() => this.#cell(), 88],
      [() => this.#insert(), 6],
      [() => this.#delete(), 3],
      [() => this.#deleteAndUndo(), 3],
    ]
    await this.random.weighted(deeds)()
  }

  async leave() {
    await this.cable.cut()
    await this.window.status("offline")
  }

  comeBack() {
    return this.cable.plug()
  }

  /** To a column, some rows up or down: keys that nobody waits between, as when they are held down. */
  async #go(column) {
    const { window, random } = this
    const last = COLUMNS.length - 1
    const [end, arrow, steps] = column > last / 2 ? ["End", "ArrowLeft", last - column] : ["Home", "ArrowRight", column]
    const ways = Array(random.whole(0, 3)).fill(random.pick(["ArrowUp", "ArrowDown"]))
    const keys = [...ways, end, ...Array(steps).fill(arrow)]
    await Promise.all(keys.map(key => window.press(key)))
  }

  async #cell() {
    const at = this.random.whole(0, COLUMNS.length - 1)
    const { kind, id } = COLUMNS[at]
    await this.#go(at)
    await this.#typeInto(kind, id)
  }

  async #typeInto(kind, column) {
    const { window, random, values } = this
    switch (kind) {
      case "checkbox":
        return window.press(" ")
      case "select":
        await window.type(random.pick(STATES))
        return window.press("Enter")
      case "multiselect":
        // The list stays open for another one.
        await window.type(random.pick(ME.tags))
        return window.press("Enter", "Escape")
      case "link":
        await window.press("F2", "End")
        await window.type(`, ${values.text()}`)
        return window.press("Enter")
      case "longtext":
        await window.type(` ${values.text()}`)
        // It has been written letter by letter; Enter would be a new line.
        return window.press("Escape")
      case "counter":
        this.steps++
        return window.press("Alt+ArrowUp")
      default: {
        const value = values.own(kind)
        await window.type(String(value))
        await window.press("Enter")
        this.typed.push({ column, value })
      }
    }
  }

  async #insert() {
    await this.#go(0)
    await this.window.page.click("#add-row")
    await this.#typeInto("text", "cText")
  }

  async #delete() {
    await this.#go(this.random.whole(0, COLUMNS.length - 1))
    await this.window.page.click("#delete-row")
  }

  async #deleteAndUndo() {
    await this.#delete()
    await this.window.press("Control+z")
  }
}
