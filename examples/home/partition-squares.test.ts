import { expect, it } from 'vitest'
import { squareText } from './partition-squares.ts'

it('says in words what a square shows', () => {
  expect(squareText('peer 1', 'ww..')).toBe('peer 1: 2 here')
  expect(squareText('peer 8', 'wcch')).toBe('peer 8: 1 here, 2 on their way, 1 for others')
})
