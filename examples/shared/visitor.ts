import type { Seat } from './seat.ts'

const NAMES = ['Otter', 'Heron', 'Badger', 'Lynx', 'Robin', 'Beaver', 'Ibex', 'Swift', 'Marten', 'Wren', 'Hare', 'Fox']
const COLOURS = ['#e0533d', '#d18411', '#3a9d5d', '#1499a8', '#3f74e0', '#8a5be0', '#c94f9b', '#7a8b28']

/** The user of this tab: drawn once, and kept as long as the tab. */
export function visitor(): Pick<Seat, 'name' | 'colour'> {
  const kept = sessionStorage.getItem('visitor')
  if (kept !== null) return JSON.parse(kept) as Pick<Seat, 'name' | 'colour'>
  const drawn = { name: drawnFrom(NAMES), colour: drawnFrom(COLOURS) }
  sessionStorage.setItem('visitor', JSON.stringify(drawn))
  return drawn
}

function drawnFrom<T>(choices: readonly T[]): T {
  return choices[Math.floor(Math.random() * choices.length)]!
}
