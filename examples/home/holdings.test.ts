import { expect, it } from 'vitest'
import { verdictText } from './holdings.ts'

it('the verdict names a peer as the pages do, not by its id', () => {
  const names = new Map([['12D3KooWSomebody', 'peer 3']])
  const worst = { peerId: '12D3KooWSomebody', writes: 1204 }
  const text = '1,204 writes behind 12D3…HKeXyz as of 0.4 s ago'
  expect(verdictText({ text, worst }, names)).toBe('1,204 writes behind peer 3 as of 0.4 s ago')
  expect(verdictText({ text, worst }, new Map())).toBe('1,204 writes behind a peer without a name as of 0.4 s ago')
  const equal = 'equal to all 4 neighbours as of 2.1 s ago'
  expect(verdictText({ text: equal, worst: undefined }, names)).toBe(equal)
})
