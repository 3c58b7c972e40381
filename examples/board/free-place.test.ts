import { describe, expect, it } from 'vitest'
import { freePlace } from './free-place.ts'
import type { Place } from './free-place.ts'

const size = { width: 180, height: 140 }

function fill(view: Place, count: number): Place[] {
  const places: Place[] = []
  for (let n = 0; n < count; n++) places.push({ at: freePlace(size, view, places), size })
  return places
}

describe('the place of a new shape', () => {
  it('is the middle of the view first', () => {
    expect(freePlace(size, { at: { x: 100, y: 200 }, size: { width: 1000, height: 700 } }, [])).toEqual({
      x: 510,
      y: 480,
    })
  })

  it('hides no other shape while there is room, and then is at least a place of its own', () => {
    const view = { at: { x: 100, y: 200 }, size: { width: 620, height: 500 } }
    const places = fill(view, 20)
    const apart = places.slice(0, 9)
    for (const [i, { at }] of apart.entries()) {
      for (const other of apart.slice(0, i)) {
        expect(Math.abs(at.x - other.at.x) >= size.width || Math.abs(at.y - other.at.y) >= size.height).toBe(true)
      }
    }
    expect(new Set(places.map(({ at }) => `${at.x} ${at.y}`)).size).toBe(20)
    for (const { at } of places) {
      expect(at.x).toBeGreaterThanOrEqual(100)
      expect(at.y).toBeGreaterThanOrEqual(200)
      expect(at.x + size.width).toBeLessThanOrEqual(720)
      expect(at.y + size.height).toBeLessThanOrEqual(700)
    }
  })

  it('is the corner of a view that is too small', () => {
    expect(freePlace(size, { at: { x: 5, y: 7 }, size: { width: 50, height: 50 } }, [])).toEqual({ x: 5, y: 7 })
  })
})
