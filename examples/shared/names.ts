/** The animals that visitors are called by. */
export const NAMES: readonly string[] = [
  'Otter',
  'Heron',
  'Badger',
  'Lynx',
  'Robin',
  'Beaver',
  'Ibex',
  'Swift',
  'Marten',
  'Wren',
  'Hare',
  'Fox',
]

/** What decides on the name of a peer. */
export interface NameWish {
  /** The name that it wants; `namesOf` has the one that it is shown by. */
  readonly name: string
  /** When its visitor came, and when its page was loaded, in milliseconds; undefined for a server peer. */
  readonly cameAtMs?: number | undefined
  readonly loadedAtMs?: number | undefined
}

type Wishing = readonly [peerId: string, wish: NameWish]

/**
 * The name of each peer, by peer id. No two peers have the same: of several that want one, the visitor who came first has it, and
 * the others get free ones. All peers that see the same wishes give the same names.
 */
export function namesOf(wishes: readonly Wishing[]): Map<string, string> {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  const inOrder = wishes.toSorted(byArrival)
  for (const [peerId, { name }] of inOrder) {
    if (taken.has(name)) continue
    names.set(peerId, name)
    taken.add(name)
  }
  for (const [peerId, { name }] of inOrder) {
    if (names.has(peerId)) continue
    const free = freeName(name, taken)
    names.set(peerId, free)
    taken.add(free)
  }
  return names
}

/** A page that was loaded again comes before its former self, which other peers may still see for some seconds. */
function byArrival([a, one]: Wishing, [b, other]: Wishing): number {
  return (
    (one.cameAtMs ?? 0) - (other.cameAtMs ?? 0) ||
    (other.loadedAtMs ?? 0) - (one.loadedAtMs ?? 0) ||
    Number(a > b) - Number(a < b)
  )
}

/** The next animal that is free; without one, the name with a number. */
function freeName(wanted: string, taken: ReadonlySet<string>): string {
  const at = NAMES.indexOf(wanted)
  const others = at < 0 ? [] : [...NAMES.slice(at + 1), ...NAMES.slice(0, at)]
  const free = others.find((name) => !taken.has(name))
  if (free !== undefined) return free
  for (let n = 2; ; n++) if (!taken.has(`${wanted} ${n}`)) return `${wanted} ${n}`
}
