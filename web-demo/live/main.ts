// Puts the page together: keys, mouse and finger, the buttons, and what is said at the top.

import "./theme"
import { get, live } from "./connection"
import { $, el, paint, put } from "./dom"
import { ARROWS, open, place, write } from "./editor"
import { at, columnOf, draw, flash, move, select, spotOf, spotsFrom, table, to, valueOf, view, cellOf } from "./grid"
import { newRowId } from "./ids"

// ---- drawing, once a frame

let frame = 0

live.changed = () => (frame ||= requestAnimationFrame(drawAll))
// More at once are a paste, not something an eye could follow.
live.came = changes => changes.slice(0, 80).forEach(flash)

function drawAll(): void {
  frame = 0
  draw()
  place()
  drawHeader()
  live.show("cursor_position", { cursor: at })
  live.show("selection", { selection: at && to && { from: at, to } })
}

function drawHeader(): void {
  const { online, failures, waiting, title, tableId } = live
  const lost = failures ? "Offline" : "Connecting…"
  const kept = waiting ? `, ${waiting} kept` : ""
  put("status", online ? (kept ? "Saving…" : "Live") : lost + kept)
  document.body.className = online ? (kept ? "saving" : "live") : "away"
  $<HTMLButtonElement>("add").disabled = !live.columns[0]
  put("title", (document.title = title))
  put("count", view.count.toLocaleString())
  $<HTMLAnchorElement>("full").href = `/#automerge:${tableId}`
  drawFaces()
}

function drawFaces(): void {
  const faces = [{ ...live.me, color: live.color }, ...live.users].map(({ userName, color }) => {
    const face = el("span", { className: "face", title: userName }, ...(userName.match(/(?<!\S)\S/gu) ?? []).slice(0, 2))
    paint(face, color)
    return face
  })
  // Cursors move many times a second, faces do not.
  if (el("p", {}, ...faces).innerHTML !== $("faces").innerHTML) $("faces").replaceChildren(...faces)
}

live.told = (text, stays) => {
  const remove = () => note.remove()
  const note = el("p", { onclick: remove }, text)
  $("notes").append(note)
  if (!stays) setTimeout(remove, 6000)
}

// ---- keys

const chosen = () => (at ? spotsFrom(at, to ?? at) : [])

table.onkeydown = event => {
  const { key, shiftKey, ctrlKey, altKey, metaKey } = event
  const step = ARROWS[key]
  // Also through rows that are not there yet.
  if (step) move(...step, shiftKey)
  else if (!at) return
  else if (key === "Tab") {
    // At the edge Tab leaves the table, so that nobody is caught in it.
    if (!move(0, shiftKey ? -1 : 1)) return
  } else if (key === "Enter" || key === "F2" || (key === " " && columnOf(at).kind === "checkbox")) open(at, false)
  else if (key === "Delete" || key === "Backspace") chosen().forEach(spot => write(spot, null, valueOf(spot)))
  else {
    // The letter goes on into the field, which has the focus now.
    if (key.length === 1 && !ctrlKey && !altKey && !metaKey) open(at, true)
    return
  }
  event.preventDefault()
  live.changed()
}

// ---- mouse and finger: a finger that does not scroll is a mouse to the page

table.onmousedown = table.onmousemove = ({ target, buttons, shiftKey, type }) => {
  const spot = spotOf(target)
  if (!spot || buttons !== 1) return
  if (at && (shiftKey || type === "mousemove")) select(at, cellOf(spot) === cellOf(at) ? null : spot)
  else select(spot)
  live.changed()
}

/** A box and a step of a counter take one click, the rest of the table two. */
table.onclick = table.ondblclick = ({ target, type }) => {
  const spot = spotOf(target)
  const { role, value } = target as HTMLButtonElement
  const isSingle = type === "click"
  if (!spot) return
  if (value) {
    if (isSingle) write(spot, Number(valueOf(spot)) + +value, valueOf(spot))
    // What was clicked is drawn anew, and would take the focus with it.
    table.focus()
  } else if (isSingle === !!role) open(spot, false)
}

// ---- buttons

$("add").onclick = () => {
  const recordId = newRowId()
  live.edit({ type: "create", recordId, at: at ? { after: at.recordId } : undefined })
  drawAll()
  select({ recordId, fieldId: live.columns[0]!.id })
  move(0, 0)
  table.focus()
}

$("delete").onclick = () => {
  const rows = new Set(chosen().map(spot => spot.recordId))
  rows.forEach(recordId => live.edit({ type: "delete", recordId }))
  table.focus()
}

/** Views are made elsewhere; here one may look through them. */
const views = $<HTMLSelectElement>("views")
const answer = await get(`/v1/tables/${encodeURIComponent(live.tableId)}/views`)
for (const { id, name } of answer.views ?? []) views.append(el("option", { value: id, selected: id === live.viewId }, name))
views.onchange = () => (location.search = `table=${live.tableId}&view=${views.value}`)
