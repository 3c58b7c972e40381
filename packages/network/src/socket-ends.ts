import type { Socket } from 'node:net'

/** How long a socket that this side has ended may take to send what is queued. */
const LINGER_MAX_MS = 1000

/**
 * Destroys a socket once its other side has ended it. No peer ends one half only, so no peer reads what is queued. And a
 * socket whose other side never reads would wait for ever to send it, with its memory and its file descriptor.
 */
export function endsWithOtherSide(socket: Socket): void {
  socket.once('end', () => socket.destroy())
}

/** Destroys a socket that was ended, and whose other side does not read what is queued. */
export function lingerAtMost(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MAX_MS)
  socket.once('close', () => clearTimeout(timer))
}

/** The sockets of a node. Those that are open when it has stopped are of no use, and would keep the process alive. */
export class OpenSockets {
  readonly #open = new Set<Socket>()

  add(socket: Socket): void {
    if (socket.destroyed) return
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
  }

  destroy(): void {
    for (const socket of this.#open) socket.destroy()
  }
}
