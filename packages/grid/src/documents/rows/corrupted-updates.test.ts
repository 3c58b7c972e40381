import { readYjsUpdate } from '@gossipgrid/core'
import { hardTexts } from '@gossipgrid/testing/hard-texts'
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

it('any text that Yjs writes, of any length, passes the parser, which counts its clocks as Yjs does', () => {
  const texts = hardTexts([3, 4, 5, 8, 63, 64, 65, 66, 127, 128, 129, 300]).map(({ text }) => text)
  const y = new Y.Doc()
  y.clientID = CLIENT
  const updates: Uint8Array[] = []
  y.on('update', (update: Uint8Array) => updates.push(update))
  for (const text of texts) {
    const body = y.getText(text)
    body.insert(0, text, { [text]: text })
    body.insertEmbed(0, { [text]: text })
    y.getMap('map').set(text, [text, { [text]: text }])
    const element = new Y.XmlElement(text)
    element.setAttribute(text, text)
    y.getXmlFragment('page').insert(0, [element])
  }
  const other = new Y.Doc()
  let clock = 0
  for (const update of updates) {
    const read = readYjsUpdate(update, 0, update.length, CLIENT)
    expect(read.from).toBe(clock)
    Y.applyUpdate(other, update)
    clock = Y.getState(other.store, CLIENT)
    expect(read.to).toBe(clock)
  }
  for (const text of texts) {
    expect(other.getText(text).toDelta()).toEqual(y.getText(text).toDelta())
    expect(other.getMap('map').get(text)).toEqual([text, { [text]: text }])
  }
  expect(other.getXmlFragment('page').toJSON()).toBe(y.getXmlFragment('page').toJSON())
})

it('whatever value the parser lets pass, Yjs can read', () => {
  const bytes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 116, max: 127 }), fc.constantFrom(0x80, 0xff, 1, 2)),
    { minLength: 1, maxLength: 14 },
  )
  let passed = 0
  fc.assert(
    fc.property(bytes, (value) => {
      // One struct of one value under the root 'r', and no deletes.
      const update = Uint8Array.of(1, 1, CLIENT, 0, 8, 1, 1, 0x72, 1, ...value, 0)
      try {
        readYjsUpdate(update, 0, update.length, CLIENT)
      } catch {
        return
      }
      passed += 1
      const y = new Y.Doc()
      Y.applyUpdate(y, update)
      expect(Y.getState(y.store, CLIENT)).toBe(1)
    }),
    { numRuns: 10_000, seed: 3 },
  )
  expect(passed).toBeGreaterThan(150)
})
