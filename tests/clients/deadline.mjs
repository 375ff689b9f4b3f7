// Waiting for events, never for time: every wait names what it waits for and fails with that name.

// Far more than anything here takes; a machine that is busy with other things may be given longer.
const DEADLINE_MS = Number(process.env.ROUNDTABLE_DEADLINE_MS ?? 20_000)

/** `promise`, or an error that says which wish was not granted in time. */
export async function within(what, promise, milliseconds = DEADLINE_MS) {
  // Made here, so that the stack shows the story and not the timer.
  const late = new Error(`not within ${milliseconds} ms: ${what}`)
  let timer
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late), milliseconds)
  })
  try {
    return await Promise.race([promise, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Waits until `condition()` is truthy and returns its value. It is asked at once and again after each of the events,
 * given as `[emitter, name]`: subscribe first, then look, so that nothing slips between.
 */
export async function until(what, condition, events, milliseconds = DEADLINE_MS) {
  const undo = []
  const met = new Promise((resolve, reject) => {
    let over = false
    const look = () => {
      // Events go on until the wait has been taken apart, and a condition may take away what it finds.
      if (over) return
      try {
        const value = condition()
        if (!value) return
        over = true
        resolve(value)
      } catch (error) {
        over = true
        reject(error)
      }
    }
    for (const [emitter, name] of events) undo.push(listen(emitter, name, look))
    look()
  })
  try {
    return await within(what, met, milliseconds)
  } finally {
    for (const off of undo) off()
  }
}

/** The first payload of event `name` that `accepts` takes. */
export async function event(what, emitter, name, accepts = () => true, milliseconds = DEADLINE_MS) {
  let off
  const seen = new Promise((resolve, reject) => {
    off = listen(emitter, name, payload => {
      try {
        if (accepts(payload)) resolve(payload)
      } catch (error) {
        reject(error)
      }
    })
  })
  try {
    return await within(what, seen, milliseconds)
  } finally {
    off()
  }
}

function listen(emitter, name, listener) {
  emitter.on(name, listener)
  return () => emitter.off(name, listener)
}
