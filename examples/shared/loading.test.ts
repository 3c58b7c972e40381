import { describe, expect, it } from 'vitest'
import { Loading } from './loading.ts'

const behind = (writes: number) => ({ state: 'behind', worst: { peerId: 'a', writes }, neighbours: 2 }) as const
const settled = (neighbours: number) => ({ state: 'unknown', worst: undefined, neighbours }) as const

describe('how far a tab is with loading', () => {
  it('is unknown until a peer has said how much there is, then the part that has come', () => {
    const loading = new Loading()
    expect(loading.next(settled(0), false)).toBe(undefined)
    expect(loading.next(settled(2), false)).toBe('waiting')
    expect(loading.next(behind(400), false)).toBe(0)
    expect(loading.next(behind(100), false)).toBe(0.75)
    expect(loading.next(behind(800), false)).toBe(0)
    expect(loading.next(behind(200), true)).toBe(0.75)
    expect(loading.next(settled(2), true)).toBe(undefined)
  })

  it('is not shown for the few writes by which a tab falls behind later, and shown again for many', () => {
    const loading = new Loading()
    expect(loading.next(behind(999), true)).toBe(undefined)
    expect(loading.next(behind(2000), true)).toBe(0)
    expect(loading.next(behind(500), true)).toBe(0.75)
  })

  it('is not shown while no peer is there to load from', () => {
    expect(new Loading().next({ ...behind(2000), neighbours: 0 }, true)).toBe(undefined)
  })
})
