import { onAbort } from '../flow/on-abort.ts'
import type { Pump } from '../runtime/write-path.ts'

/** What was opened of a collection. */
interface Opened {
  /** Its collection was dropped. */
  readonly isDropped: boolean
  /** Nothing is left of what it had. */
  readonly isEmptied: boolean
  close(): void
}

type DropPump = Pick<Pump, 'afterStep' | 'afterSteps' | 'closing'>

/** Forgets what was opened of collections that were dropped: what is opened next under their names are other objects. */
export function forgetDropped(opened: Map<string, Opened>, pump: DropPump): void {
  for (const [name, each] of opened) {
    if (!each.isDropped) continue
    opened.delete(name)
    closeOnceEmptied(each, pump)
  }
}

/** Its loops get the deletes first, which come in several steps if there are many. */
function closeOnceEmptied(each: Opened, pump: DropPump): void {
  if (each.isEmptied) {
    pump.afterStep(() => each.close())
    return
  }
  const end = (): void => {
    unfollow()
    offAbort()
    pump.afterStep(() => each.close())
  }
  const unfollow = pump.afterSteps(() => each.isEmptied && end())
  const offAbort = onAbort(pump.closing, end)
}
