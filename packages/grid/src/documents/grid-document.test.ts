import { afterEach, describe, expect, it } from 'vitest'
import { TestGrids } from '../test-grids.ts'

const grids = new TestGrids()
afterEach(() => grids.close())

describe('a document', () => {
  it('shows at one peer what was typed at another', async () => {
    const ada = await grids.open()
    const bob = await grids.open()
    const first = await ada.doc('note')
    const second = await bob.doc('note')
    first.y.getText('body').insert(0, 'hello')
    await first.flush()
    await expect.poll(() => second.y.getText('body').toString()).toBe('hello')
    second.y.getText('body').insert(5, ' world')
    await expect.poll(() => first.y.getText('body').toString()).toBe('hello world')
  })
})
