import { NAMES } from './names.ts'
import type { Seat } from './seat.ts'

const COLOURS = ['#e0533d', '#d18411', '#3a9d5d', '#1499a8', '#3f74e0', '#8a5be0', '#c94f9b', '#7a8b28']

type Kept = Pick<Seat, 'name' | 'colour' | 'cameAtMs'>
type Visitor = Kept & Pick<Seat, 'loadedAtMs'>

const loadedAtMs = Date.now()

/** The user of this tab: drawn once, and kept as long as the tab. */
export function visitor(): Visitor {
  const kept = sessionStorage.getItem('visitor')
  const drawn = { name: drawnFrom(NAMES), colour: drawnFrom(COLOURS), cameAtMs: loadedAtMs }
  const who = kept === null ? drawn : (JSON.parse(kept) as Kept)
  if (kept === null) keep(who)
  return { ...who, loadedAtMs }
}

/** Another visitor had the name: this is the new one of this tab. */
export function rename(name: string): void {
  const { loadedAtMs: _, ...who } = visitor()
  keep({ ...who, name })
}

function keep(who: Kept): void {
  sessionStorage.setItem('visitor', JSON.stringify(who))
}

function drawnFrom<T>(choices: readonly T[]): T {
  return choices[Math.floor(Math.random() * choices.length)]!
}
