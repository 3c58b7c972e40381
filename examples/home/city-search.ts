import type { Grid, QueryRow } from 'gossipgrid'
import { element } from '../shared/element.ts'
import { Combobox } from './combobox.ts'
import { searchName } from './search-name.ts'

/** A city of the demo. Only what it is found by is there for certain: anybody can write to the map. */
interface City {
  readonly name?: string
  readonly country?: string
  readonly population?: number
  readonly loc?: { readonly coordinates?: readonly [longitude: number, latitude: number] }
  /** Says which side of the split wrote it. */
  readonly edit?: string
  /** The name in small letters without marks. */
  readonly search: string
}

const SHOWN_MAX = 8
/** While others write, what is shown is found again this often. */
const REFRESH_INTERVAL_MS = 300
const COUNTRIES = new Intl.DisplayNames(['en'], { type: 'region' })

/** A search over the cities of the demo, in this tab's own copy. It is hidden in a grid without cities. */
export function citySearch(grid: Grid): HTMLElement {
  const cities = grid.map<City>('cities')
  const status = element('p', { role: 'status' })
  const card = element('div', { class: 'city', 'aria-live': 'polite' })
  let chosen: string | undefined
  const drawCard = (): void => {
    if (chosen === undefined) return
    const city = cities.peek(chosen)
    const next = city === undefined ? [element('p', {}, `${chosen} is deleted.`)] : cardOf(chosen, city)
    if (next.map(({ textContent }) => textContent).join() !== card.textContent) card.replaceChildren(...next)
  }
  const combobox = new Combobox<QueryRow<City>>({
    label: 'Find a city',
    placeholder: 'Lyon, São Paulo, San …',
    find: async (text) => {
      const where = { search: { $startsWith: searchName(text) } }
      return (await cities.query({ where, orderBy: '-population', limit: SHOWN_MAX })).rows
    },
    show: ({ value }) => [
      element('span', { class: 'name' }, nameOf(value)),
      element('span', { class: 'where' }, placeOf(value)),
    ],
    keyOf: ({ key }) => key,
    textOf: ({ value }) => nameOf(value),
    onChoose: ({ key }) => {
      chosen = key
      drawCard()
    },
    onFound: (items, tookMs) => (status.textContent = statusText(items.length, tookMs, combobox.isFilled)),
  })
  const head = element('div', { class: 'search-head' }, combobox.label, status)
  const section = element(
    'section',
    { class: 'search', 'aria-label': 'Cities', hidden: '' },
    head,
    combobox.field,
    card,
  )
  let isStarted = false
  let isScheduled = false
  const follow = (): void => {
    if (cities.size > 0 && !isStarted) {
      isStarted = true
      section.hidden = false
      status.textContent = statusText(0, 0, false)
      // With both, a query has the choice: a rare beginning goes by name, a common one from the largest city down.
      void Promise.all([cities.index('search'), cities.index('population')])
    }
    if (isScheduled) return
    isScheduled = true
    setTimeout(() => {
      isScheduled = false
      drawCard()
      if (combobox.isFilled) void combobox.refresh()
    }, REFRESH_INTERVAL_MS)
  }
  cities.on('change', follow)
  follow()
  return section
}

function statusText(count: number, tookMs: number, isAsked: boolean): string {
  if (!isAsked) return 'All are in this tab: a search asks no server.'
  const took = `${tookMs < 1 ? 'less than 1' : Math.round(tookMs)} ms`
  if (count === 0) return `No city begins like this (${took}).`
  if (count === SHOWN_MAX) return `The ${count} largest, in ${took}.`
  return count === 1 ? `1 city, in ${took}.` : `${count} cities, in ${took}.`
}

function nameOf({ name, search }: City): string {
  return typeof name === 'string' ? name : search
}

function placeOf({ country, population }: City): string {
  const where = typeof country === 'string' && /^[A-Z]{2}$/.test(country) ? [COUNTRIES.of(country) ?? country] : []
  const people = typeof population === 'number' ? [population.toLocaleString('en')] : []
  return [...where, ...people].join(' · ')
}

function cardOf(key: string, city: City): HTMLElement[] {
  const [longitude, latitude] = city.loc?.coordinates ?? []
  const at =
    typeof longitude === 'number' && typeof latitude === 'number'
      ? [`${degrees(latitude, 'N', 'S')}, ${degrees(longitude, 'E', 'W')}`]
      : []
  const edited = city.edit === undefined ? '' : ' A peer made its population up during the split.'
  return [
    element('h2', {}, nameOf(city)),
    element('p', {}, [placeOf(city), ...at].join(' · '), edited),
    element(
      'p',
      {},
      ...['In the terminal, ', element('code', {}, `get all ${key}`), ' reads it at each peer. '],
      ...['What you ', element('code', {}, 'set'), ' there shows here.'],
    ),
  ]
}

function degrees(angle: number, positive: string, negative: string): string {
  return `${Math.abs(angle).toFixed(2)}° ${angle < 0 ? negative : positive}`
}
