import { expect, it } from 'vitest'
import { DeafWatch } from './deaf-watch.ts'

function watch(self: string, deafAfterMs = 1000): { watch: DeafWatch; deaf: Set<string> } {
  const deaf = new Set<string>()
  return { watch: new DeafWatch({ self, isDeaf: (peerId) => deaf.has(peerId), deafAfterMs }), deaf }
}

it('a neighbour is due for a redial once its gossip has failed long enough without a break', () => {
  const { watch: ada, deaf } = watch('ada')
  expect(ada.redialAfterMs('ben', 0)).toBe(undefined)
  deaf.add('ben')
  expect(ada.redialAfterMs('ben', 500)).toBe(undefined)
  expect(ada.redialAfterMs('ben', 1499)).toBe(undefined)
  expect(ada.redialAfterMs('ben', 1500)).toBe(1000)
  deaf.delete('ben')
  expect(ada.redialAfterMs('ben', 1600)).toBe(undefined)
  deaf.add('ben')
  expect(ada.redialAfterMs('ben', 1700)).toBe(undefined)
})

it('the side with the larger peer id waits longer', () => {
  const { watch: ben, deaf } = watch('ben')
  deaf.add('ada')
  expect(ben.redialAfterMs('ada', 0)).toBe(undefined)
  expect(ben.redialAfterMs('ada', 1499)).toBe(undefined)
  expect(ben.redialAfterMs('ada', 1500)).toBe(1500)
})

it('a neighbour that comes back starts again', () => {
  const { watch: ada, deaf } = watch('ada')
  deaf.add('ben')
  expect(ada.redialAfterMs('ben', 0)).toBe(undefined)
  ada.forget('ben')
  expect(ada.redialAfterMs('ben', 5000)).toBe(undefined)
})

it('one neighbour is redialled at a time', () => {
  const { watch: ada, deaf } = watch('ada')
  for (const name of ['ben', 'bob']) {
    deaf.add(name)
    expect(ada.redialAfterMs(name, 0)).toBe(undefined)
  }
  expect(ada.redialAfterMs('ben', 1000)).toBe(1000)
  expect(ada.redialAfterMs('bob', 1000)).toBe(undefined)
  expect(ada.redialAfterMs('bob', 2999)).toBe(undefined)
  expect(ada.redialAfterMs('bob', 3000)).toBe(3000)
})

it('time in which this process did not run does not count', () => {
  const { watch: ada, deaf } = watch('ada', 10_000)
  deaf.add('ben')
  expect(ada.redialAfterMs('ben', 0)).toBe(undefined)
  for (let nowMs = 60_000; nowMs < 68_000; nowMs += 2000) expect(ada.redialAfterMs('ben', nowMs)).toBe(undefined)
  expect(ada.redialAfterMs('ben', 68_000)).toBe(10_000)
})
