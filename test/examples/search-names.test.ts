import { expect, it } from 'vitest'
import { searchName as typedName } from '../../examples/home/search-name.ts'
import { readCities } from '../../packages/cli/src/demo/story/cities.ts'
import { searchName, searchable } from '../../packages/cli/src/demo/story/search-name.ts'

it('what is typed on the page is folded as the demo stores names: a name that is typed finds its city', () => {
  const names = Array.from(readCities(Infinity).values(), ({ name }) => name)
  const missed = names.filter((name) => {
    const stored = searchName(name)
    return [name, name.toLowerCase(), stored].some((typed) => typedName(typed) !== stored)
  })
  expect(missed).toEqual([])
})

it('small letters without marks, also those that are no letter with a mark to Unicode', () => {
  const names = ['São Paulo', 'Łódź', 'Tromsø', 'Meßkirch', 'İstanbul', 'Diyarbakır', 'Đà Nẵng', 'Ærøskøbing']
  expect(names.map(searchName)).toEqual([
    'sao paulo',
    'lodz',
    'tromso',
    'messkirch',
    'istanbul',
    'diyarbakir',
    'da nang',
    'aeroskobing',
  ])
})

it('what has no name is stored as it is', () => {
  expect(searchable({ name: 'Bön', population: 1 })).toEqual({ name: 'Bön', population: 1, search: 'bon' })
  expect(searchable({ population: 1 })).toEqual({ population: 1 })
})
