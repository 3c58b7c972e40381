/** Tabs of one grid in one browser profile that keep data. Each further one is refused a slot. */
const SLOTS_MAX = 64
/** A page that is loaded again asks for its slot before the browser has taken it from the page before. */
const RELOAD_MAX_MS = 1000

/**
 * A place to keep data in a browser profile, for one peer at a time: each tab has its own, with an identity of its own, and
 * leaves it to the next one when it ends, however it ends.
 */
export interface Slot {
  /** Different for each slot; the same when the slot is leased again. */
  readonly name: string
  release(): void
}

const leasedHere = new Set<string>()

/**
 * Leases the slot that this tab had before it was loaded again, else the first that is free (Web Locks). Undefined when all
 * 64 are taken.
 */
export async function leaseSlot(base: string): Promise<Slot | undefined> {
  const former = remembered(base)
  if (former !== undefined && !leasedHere.has(former)) {
    const slot = await lease(base, former, { signal: AbortSignal.timeout(RELOAD_MAX_MS) })
    if (slot !== undefined) return slot
  }
  for (let n = 0; n < SLOTS_MAX; n++) {
    const slot = await lease(base, `${base}/${n}`, { ifAvailable: true })
    if (slot !== undefined) return slot
  }
  return undefined
}

function lease(base: string, name: string, options: LockOptions): Promise<Slot | undefined> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, options, (lock) => {
        if (lock === null) return resolve(undefined)
        leasedHere.add(name)
        remember(base, name)
        // The lock is held until this promise settles, or the tab ends.
        return new Promise<void>((free) => {
          const release = (): void => {
            leasedHere.delete(name)
            free()
          }
          resolve({ name, release })
        })
      })
      .catch((error: DOMException) => (error.name === 'TimeoutError' ? resolve(undefined) : reject(error)))
  })
}

/** What a tab keeps through a reload. Workers have none, and some pages must not have any. */
function remembered(base: string): string | undefined {
  try {
    return sessionStorage.getItem(base) ?? undefined
  } catch {
    return undefined
  }
}

function remember(base: string, name: string): void {
  try {
    sessionStorage.setItem(base, name)
  } catch {
    // Then the first free slot will do.
  }
}
