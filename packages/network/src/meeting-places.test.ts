import { expect, test } from 'vitest'
import { MeetingPlaces } from './meeting-places.ts'

test('visitors of one topic are told of each other, and of nobody else', () => {
  const places = new MeetingPlaces()
  expect(places.visit('shop', 'a', 0)).toEqual([])
  expect(places.visit('garden', 'b', 1)).toEqual([])
  expect(places.visit('shop', 'c', 2)).toEqual(['a'])
  expect(places.visit('shop', 'a', 3)).toEqual(['c'])
})

test('who has gone, or has not been here for long, is not told of', () => {
  const places = new MeetingPlaces()
  places.visit('shop', 'a', 0)
  places.visit('shop', 'b', 0)
  places.gone('a')
  expect(places.visit('shop', 'c', 1)).toEqual(['b'])
  expect(places.visit('shop', 'd', 90_000)).toEqual(['c'])
})

test('a crowd is told of in part, and remembered within bounds', () => {
  const places = new MeetingPlaces()
  for (let n = 0; n < 10_000; n++) places.visit('shop', `peer ${n}`, n / 1000)
  const told = places.visit('shop', 'last', 10)
  expect(told.length).toBe(32)
  expect(told[0]).toBe('peer 9999')
})
