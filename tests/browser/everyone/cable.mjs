// A cable between a page and the server that can be pulled out: what flows is cut off in the middle, and who tries to connect
// is refused. The page itself knows nothing of it.

import { connect, createServer } from "node:net"
import { once } from "node:events"

export class Cable {
  #target
  #listener = null
  #port = 0
  #sockets = new Set()

  static async to(url) {
    const cable = new Cable()
    cable.#target = new URL(url)
    await cable.plug()
    return cable
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`
  }

  async plug() {
    this.#listener = createServer(near => this.#join(near))
    // The page holds this address, so it must be the very same port again.
    this.#listener.listen(this.#port, "127.0.0.1")
    await once(this.#listener, "listening")
    this.#port = this.#listener.address().port
  }

  async cut() {
    const listener = this.#listener
    this.#listener = null
    if (!listener) return
    const closed = once(listener, "close")
    listener.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #join(near) {
    const far = connect(Number(this.#target.port), this.#target.hostname)
    for (const [socket, other] of [[near, far], [far, near]]) {
      socket.setNoDelay()
      this.#sockets.add(socket)
      // A server that is dead refuses, and then the page is refused as well.
      socket.on("error", () => {})
      socket.once("close", () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    near.pipe(far).pipe(near)
  }
}
