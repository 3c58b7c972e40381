import { readYjsUpdate } from '@gossipgrid/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { RowIntegration } from './row-integration.ts'

const CLIENT = 77
const OTHER = 99

const theirs = ((): Uint8Array => {
  const y = new Y.Doc()
  y.clientID = OTHER
  y.getText('body').insert(0, 'the text of another peer')
  y.getMap('map').set('theirs', 1)
  return Y.encodeStateAsUpdate(y)
})()

/** Everything that Yjs can write, by a peer that has seen another's text. */
const own = ((): Uint8Array => {
  const y = new Y.Doc()
  Y.applyUpdate(y, theirs)
  y.clientID = CLIENT
  const body = y.getText('body')
  body.insert(4, 'whole ', { bold: true })
  body.insertEmbed(2, { image: { src: 'x' } })
  body.delete(0, 3)
  const map = y.getMap('map')
  map.set('list', new Y.Array())
  ;(map.get('list') as Y.Array<unknown>).push([1, 'two', { three: [null, undefined, 4.5, 5n] }, new Uint8Array(3)])
  map.set('theirs', 2)
  const paragraph = new Y.XmlElement('p')
  paragraph.insert(0, [new Y.XmlText('words')])
  paragraph.setAttribute('class', 'x')
  y.getXmlFragment('page').insert(0, [paragraph])
  return Y.diffUpdate(Y.encodeStateAsUpdate(y), Y.encodeStateVectorFromUpdate(theirs))
})()

it('what the parser lets pass of corrupted updates never throws within Yjs, nor leaves anything pending', () => {
  const whole = readYjsUpdate(own, 0, own.length, CLIENT)
  expect(whole.to).toBeGreaterThan(20)
  let passed = 0
  const faults = fc.array(fc.record({ at: fc.nat(own.length - 1), byte: fc.nat(255) }), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(faults, (changed) => {
      const bytes = own.slice()
      for (const { at, byte } of changed) bytes[at] = byte
      const y = new Y.Doc()
      Y.applyUpdate(y, theirs)
      const integration = new RowIntegration((client) => Y.getState(y.store, client))
      try {
        integration.offer('row', CLIENT, readYjsUpdate(bytes, 0, bytes.length, CLIENT))
      } catch {
        return
      }
      passed += 1
      for (let update = integration.next(); update !== undefined; update = integration.next()) Y.applyUpdate(y, update)
      expect([y.store.pendingStructs, y.store.pendingDs]).toEqual([null, null])
      Y.applyUpdate(new Y.Doc(), Y.encodeStateAsUpdate(y))
    }),
    { numRuns: 3000, seed: 1 },
  )
  expect(passed).toBeGreaterThan(100)
})
