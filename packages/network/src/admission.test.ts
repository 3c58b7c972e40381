import { describe, expect, it, vi } from 'vitest'
import { Admission } from './admission.ts'

function admission(neighbours: string[] = [], accept?: (peerId: string) => boolean): Admission {
  return new Admission({ neighboursMax: 2, accept, neighbours: () => new Set(neighbours) })
}

describe('admission', () => {
  it('admits every peer by default', () => {
    expect(admission().admits('ada')).toBe(true)
    expect(admission([], (peerId) => peerId !== 'ada').admits('ada')).toBe(false)
  })

  it('refuses for a while', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    try {
      const one = admission()
      one.refuse('ada', 1000)
      expect(one.admits('ada')).toBe(false)
      expect(one.admits('ben')).toBe(true)
      vi.advanceTimersByTime(1001)
      expect(one.admits('ada')).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  it('blocks until unblocked', () => {
    const one = admission()
    one.block(['ada'])
    one.block(['ben'])
    expect(['ada', 'ben', 'cora'].filter((peerId) => one.admits(peerId))).toEqual(['cora'])
    one.unblock()
    expect(one.admits('ada')).toBe(true)
  })

  it('admits no peer while this one is cut off', () => {
    const one = admission()
    one.online = false
    expect(one.admits('ada')).toBe(false)
    one.online = true
    expect(one.admits('ada')).toBe(true)
  })

  it('turns newcomers away at twice the wanted number of neighbours, but never a neighbour', () => {
    const full = admission(['a', 'b', 'c', 'd'])
    expect(full.admits('e')).toBe(false)
    expect(full.admits('d')).toBe(true)
    expect(admission(['a', 'b', 'c']).admits('e')).toBe(true)
  })

  it('remembers a bounded number of refusals', () => {
    const one = admission()
    for (let i = 0; i < 5000; i += 1) one.refuse(`peer-${i}`, 60_000)
    expect(one.refused('peer-0')).toBe(false)
    expect(one.refused('peer-4999')).toBe(true)
  })
})
