/** Calls `task` in the next turn of the event loop, after timers and sockets had their turn. */
export const nextTurn: (task: () => void) => void =
  typeof setImmediate === 'function' ? (task) => void setImmediate(task) : (task) => void setTimeout(task, 0)
