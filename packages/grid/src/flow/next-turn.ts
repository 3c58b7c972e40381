/** Calls `task` in the next turn of the event loop, when timers and sockets have had theirs. */
export const nextTurn: (task: () => void) => void =
  typeof setImmediate === 'function' ? (task) => void setImmediate(task) : (task) => void setTimeout(task, 0)
