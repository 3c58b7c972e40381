import { expect, test } from 'vitest'
import { MeetingPlaces } from './meeting-places.ts'

test('visitors of one topic hear of each other, and of no other peer', () => {
  const places = new MeetingPlaces()
  expect(places.visit('shop', 'a', 0)).toEqual([])
  expect(places.visit('garden', 'b', 1)).toEqual([])
  expect(places.visit('shop', 'c', 2)).toEqual(['a'])
  expect(places.visit('shop', 'a', 3)).toEqual(['c'])
})

test('a peer that has gone, or has not come for long, is left out', () => {
  const places = new MeetingPlaces()
  places.visit('shop', 'a', 0)
  places.visit('shop', 'b', 0)
  places.gone('a')
  expect(places.visit('shop', 'c', 1)).toEqual(['b'])
  expect(places.visit('shop', 'd', 90_000)).toEqual(['c'])
})

test('of a crowd, a part is named and a bounded number is remembered', () => {
  const places = new MeetingPlaces()
  for (let n = 0; n < 10_000; n++) places.visit('shop', `peer ${n}`, n / 1000)
  const named = places.visit('shop', 'last', 10)
  expect(named.length).toBe(32)
  expect(named[0]).toBe('peer 9999')
})
