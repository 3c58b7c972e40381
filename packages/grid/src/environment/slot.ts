/** Tabs of one grid in one browser profile that can store data. A further tab gets no slot. */
const SLOTS_MAX = 64
/** How long a reloaded page waits for its slot: the browser may not have released it from the old page yet. */
const RELOAD_MAX_MS = 1000

/**
 * A place to store data in a browser profile, for one peer at a time. Each tab leases its own slot, with an identity of its
 * own. The slot is free again when the tab ends, even if it crashes.
 */
export interface Slot {
  /** Unique to the slot, and the same each time the slot is leased. */
  readonly name: string
  release(): void
}

const leasedHere = new Set<string>()

/**
 * Leases the slot that this tab had before a reload, else the first free one, by a Web Lock. Undefined if all 64 are taken.
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
        // The lock is released when this promise settles, or the tab ends.
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

/** The slot stored for this tab, which survives a reload. Workers have no session storage; some pages may not use it. */
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
    // Without it, a reloaded tab takes the first free slot.
  }
}
