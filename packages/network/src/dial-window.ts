/** How many dials may run at once on a machine that keeps up. */
const DIALS_MAX = 8
/** How many dials may run at first. */
const DIALS_START = 2
/** A machine that keeps up needs 20 ms for a handshake, and the round trips to a far peer take about 500 ms. */
const SLOW_HANDSHAKE_MS = 1500

/**
 * How many dials may run at once. Handshakes that run side by side slow each other down: when a busy machine begins too many,
 * all of them time out, and their work is lost. So a slow handshake halves the number and a quick one adds one, as TCP's
 * congestion control does (RFC 5681).
 */
export class DialWindow {
  #dialsMax = DIALS_START

  /** At least 1. */
  get dialsMax(): number {
    return Math.floor(this.#dialsMax)
  }

  /** A handshake took this long, whether it ended or timed out. */
  recordHandshake(durationMs: number): void {
    const { dialsMax } = this
    this.#dialsMax = durationMs > SLOW_HANDSHAKE_MS ? Math.max(1, dialsMax / 2) : Math.min(DIALS_MAX, dialsMax + 1)
  }
}
