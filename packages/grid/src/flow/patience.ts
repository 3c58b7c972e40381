/**
 * A time limit is counted in pieces of this length. The network counts its own limits in fewer and longer pieces, so a limit around
 * them is never over before they are.
 */
const PIECE_MS = 50

/**
 * Calls back after `limitMs`, and later if this process gets little time to run: each piece of the limit ends at the earliest in a
 * turn of its own. So what has to be done within the limit gets its turns, on a busy machine as well. Returns what cancels it.
 */
export function afterPatience(limitMs: number, callback: () => void): () => void {
  let left = Math.max(1, Math.ceil(limitMs / PIECE_MS))
  const pieceMs = limitMs / left
  const next = (): ReturnType<typeof setTimeout> => setTimeout(tick, pieceMs)
  const tick = (): void => {
    left -= 1
    if (left > 0) timer = next()
    else callback()
  }
  let timer = next()
  return () => clearTimeout(timer)
}
