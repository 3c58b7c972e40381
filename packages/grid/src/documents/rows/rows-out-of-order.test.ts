import { documentClient, documentKey, documentValue } from '@gossipgrid/core'
import { afterAll, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TestGrids } from '../../rig/test-grids.ts'

const grids = new TestGrids()
afterAll(() => grids.close())

it('rows that come in the wrong order, one at a time, are all shown with the last, without anybody typing', async () => {
  const ada = await grids.open()
  const document = await ada.doc('note')
  const client = documentClient('e'.repeat(16), 1)
  const elsewhere = new Y.Doc()
  elsewhere.clientID = client
  const updates: Uint8Array[] = []
  elsewhere.on('update', (update: Uint8Array) => updates.push(update))
  for (const [i, letter] of ['a', 'b', 'c', 'd'].entries()) elsewhere.getText('body').insert(i, letter)

  const { replica } = ada.documents.table.partition
  const shown: string[] = []
  for (const index of [3, 2, 1, 0]) {
    const key = documentKey({ document: 'note', generation: 0, nonce: 1, client, level: 'a', index })
    const bytes = documentValue(updates[index]!, '', '')
    const sequence = 1000 + index
    replica.merge({ key, hlc: 1, writer: 0, sequence, replaced: 0, bytes, start: 0, end: bytes.length })
    shown.push(document.y.getText('body').toJSON())
  }
  expect(shown).toEqual(['', '', '', 'abcd'])
})
