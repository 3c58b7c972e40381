import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { copyStructs } from './copy-document.ts'
import { adoptContent, askForRoots } from './adopt-content.ts'

/** A document as a generation has it: what another one shows, under one client id. */
function nextOf(y: Y.Doc, roots: Y.Doc, client = 77): Y.Doc {
  const next = new Y.Doc()
  askForRoots(next, roots)
  const { update } = copyStructs(y, client, 0)
  if (update !== undefined) Y.applyUpdate(next, update)
  return next
}

function copyOf(y: Y.Doc): Y.Doc {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(y))
  return copy
}

const fail = (error: unknown): never => {
  throw error
}

type Nested = Y.Map<unknown> | Y.Array<unknown> | Y.Text | Y.XmlElement | Y.XmlText

/** All types of a Y.Doc that are there, at all depths, and its roots. */
function typesOf(y: Y.Doc): unknown[] {
  const types: unknown[] = [y.getText('text'), y.getArray('list'), y.getMap('map'), y.getXmlFragment('page')]
  for (let i = 0; i < types.length; i++) {
    const type = types[i] as Y.AbstractType<unknown>
    for (const structs of y.store.clients.values()) {
      for (const struct of structs) {
        const isChild = struct instanceof Y.Item && !struct.deleted && struct.parent === type
        if (isChild && struct.content instanceof Y.ContentType) types.push(struct.content.type)
      }
    }
  }
  return types
}

/** Characters with their formats: Yjs may cut them into any runs. */
function formatted(text: Y.Text): unknown[] {
  const delta = text.toDelta() as { readonly insert: unknown; readonly attributes?: object }[]
  return delta.flatMap(({ insert, attributes = {} }) =>
    (typeof insert === 'string' ? insert.split('') : [insert]).map((value) => [value, attributes]),
  )
}

function shown(y: Y.Doc): unknown {
  const map: unknown = y.getMap('map').toJSON()
  return [formatted(y.getText('text')), y.getArray('list').toJSON(), map, y.getXmlFragment('page').toJSON()].map(
    (each) =>
      JSON.stringify(each, (_, value: unknown) =>
        value instanceof Y.AbstractType ? { type: value.toJSON() as unknown } : value,
      ),
  )
}

type Step = readonly [kind: number, type: number, at: number, count: number]
const step: fc.Arbitrary<Step> = fc.tuple(fc.nat(6), fc.nat(), fc.nat(), fc.integer({ min: 1, max: 5 }))
const steps = fc.array(step, { maxLength: 40 })

const nestedOf = (kind: number): Nested =>
  [new Y.Map([['a', 1]]), Y.Array.from([1, 2]) as Y.Array<unknown>, new Y.Text('nested')][kind % 3]!

/** One edit of a type, which is drawn: every kind of type is edited in some way by every kind of step. */
function edit(y: Y.Doc, [kind, which, at, count]: Step): void {
  const types = typesOf(y)
  const type = types[which % types.length]
  if (type instanceof Y.Text) editText(type, kind, at % (type.length + 1), count)
  else if (type instanceof Y.Map) {
    if (kind < 2) type.delete(String(at % 3))
    else type.set(String(at % 3), kind < 4 ? { plain: count } : nestedOf(kind))
  } else if (type instanceof Y.XmlFragment) editXml(type, kind, at % (type.length + 1), count)
  else {
    const list = type as Y.Array<unknown>
    const index = at % (list.length + 1)
    if (kind < 3) list.delete(index, Math.min(count, list.length - index))
    else list.insert(index, kind < 5 ? [count, 'x', null] : [nestedOf(kind)])
  }
}

function editText(text: Y.Text, kind: number, index: number, count: number): void {
  const length = Math.min(count, text.length - index)
  if (kind < 2) text.delete(index, length)
  else if (kind === 2) text.format(index, length, { bold: count > 2 ? true : null })
  else if (kind === 3) text.insertEmbed(index, { image: count })
  else
    text.insert(
      index,
      kind === 4 ? 'ж'.repeat(count) : 'abcde'.slice(0, count),
      kind === 6 ? { bold: true } : undefined,
    )
}

function editXml(xml: Y.XmlFragment, kind: number, index: number, count: number): void {
  if (kind < 2) xml.delete(index, Math.min(count, xml.length - index))
  else if (kind === 2 && xml instanceof Y.XmlElement) xml.setAttribute('class', String(count))
  else if (kind === 3 && xml instanceof Y.XmlElement) xml.removeAttribute('class')
  else xml.insert(index, [kind < 5 ? new Y.XmlElement(`p${count % 2}`) : new Y.XmlText('words')])
}

/** Keeps what an editor shows, by the events that it hears alone. */
function mirror(text: Y.Text): Y.Text {
  const mirrored = new Y.Doc().getText('mirror')
  mirrored.applyDelta(text.toDelta() as unknown[])
  text.observe(({ delta }) => mirrored.applyDelta(delta))
  return mirrored
}

describe('a Y.Doc that takes over the content of another one', () => {
  it('goes on as the other one would have, with the types and observers that it had', () => {
    const property = fc.property(steps, steps, steps, steps, (before, late, after, there) => {
      const y = new Y.Doc()
      for (const each of before) edit(y, each)
      // Editors hear all that changes.
      const types = typesOf(y)
      const seen = mirror(y.getText('text'))
      // Some of the edits are in the next one only, and some here only.
      const next = nextOf(y, y)
      for (const each of late) edit(next, each)
      for (const each of late.slice(0, 5)) edit(y, [each[0], each[1] + 1, each[2], each[3]])
      const whole = copyOf(next)
      const wanted = shown(whole)
      expect(adoptContent(y, next, 'origin', fail)).toBe(true)
      expect(shown(y)).toEqual(wanted)
      expect(formatted(seen)).toEqual(formatted(y.getText('text')))
      expect(typesOf(y).slice(0, 4)).toEqual(types.slice(0, 4))
      expect(y.getText('text')).toBe(types[0])
      // It is edited here and there, and both stay equal.
      const [state, vector] = [Y.encodeStateVector(y), Y.encodeStateVector(whole)]
      for (const each of after) edit(y, each)
      for (const each of there) edit(whole, each)
      Y.applyUpdate(y, Y.encodeStateAsUpdate(whole, state), 'remote')
      Y.applyUpdate(whole, Y.encodeStateAsUpdate(y, vector))
      expect(shown(y)).toEqual(shown(whole))
      expect(shown(copyOf(y))).toEqual(shown(whole))
      expect(Y.decodeStateVector(Y.encodeStateVector(y))).toEqual(Y.decodeStateVector(Y.encodeStateVector(whole)))
      expect(formatted(seen)).toEqual(formatted(y.getText('text')))
    })
    fc.assert(property, { numRuns: 200 })
  })

  it('tells its editors nothing where both show the same, and keeps nested types', () => {
    const y = new Y.Doc()
    const inner = new Y.Text('inner')
    y.getMap('map').set('list', Y.Array.from([inner]))
    y.getText('text').insert(0, 'gone and kept')
    y.getText('text').delete(0, 9)
    const reported: unknown[] = []
    for (const type of y.share.values()) type.observeDeep((events) => reported.push(events))
    expect(adoptContent(y, nextOf(y, y), 'origin', fail)).toBe(true)
    expect(reported).toEqual([])
    expect([...y.store.clients.keys()]).toEqual([77])
    inner.insert(0, 'still the ')
    expect(y.getMap('map').toJSON()).toEqual({ list: ['still the inner'] })
    expect(reported).toHaveLength(1)
    const undo = new Y.UndoManager(y.getText('text'))
    y.getText('text').insert(0, 'un')
    undo.undo()
    expect(y.getText('text').toJSON()).toBe('kept')
  })

  it('tells its editors of as little as can be', () => {
    const y = new Y.Doc()
    const page = y.getXmlFragment('page')
    page.insert(
      0,
      ['one', 'two', 'three'].map((words) => new Y.XmlText(words)),
    )
    const [one, two, three] = page.toArray()
    const next = nextOf(y, y)
    ;(next.getXmlFragment('page').get(1) as Y.XmlText).insert(3, ', changed')
    const reported: unknown[] = []
    page.observeDeep((events) => reported.push(...events.map(({ target, delta }) => [target, delta])))
    expect(adoptContent(y, next, 'origin', fail)).toBe(true)
    expect(reported).toEqual([[two, [{ retain: 3 }, { insert: ', changed' }]]])
    expect(page.toArray()).toEqual([one, two, three])
    expect(page.toJSON()).toBe('onetwo, changedthree')
  })

  it('never cuts a surrogate pair, of which Yjs would make two question marks', () => {
    const y = new Y.Doc()
    const text = y.getText('text')
    text.insert(0, 'a🦊🦝')
    const next = nextOf(y, y)
    next.getText('text').delete(1, 4)
    next.getText('text').insert(1, '🦝🦊')
    expect(adoptContent(y, next, 'origin', fail)).toBe(true)
    expect(text.toJSON()).toBe('a🦝🦊')
  })

  it('leaves what an undo manager remembers of before alone', () => {
    const y = new Y.Doc()
    const undo = new Y.UndoManager(y.getText('text'))
    y.getText('text').insert(0, 'typed before')
    y.getText('text').delete(0, 1)
    expect(adoptContent(y, nextOf(y, y), 'origin', fail)).toBe(true)
    undo.undo()
    undo.redo()
    expect(y.getText('text').toJSON()).toBe('yped before')
  })

  it('is not kept from it by a listener that throws', () => {
    const y = new Y.Doc()
    const next = nextOf(y, y)
    next.getText('text').insert(0, 'new')
    const reported: unknown[] = []
    y.getText('text').observe(() => {
      throw new Error('a bug of the application')
    })
    askForRoots(next, y)
    expect(adoptContent(y, next, 'origin', (error) => reported.push(error))).toBe(true)
    expect(y.getText('text').toJSON()).toBe('new')
    expect(reported).toHaveLength(1)
  })

  it('takes nothing over when its listeners do not let it show the same', () => {
    const y = new Y.Doc()
    const text = y.getText('text')
    text.insert(0, 'mine')
    const next = nextOf(y, y)
    next.getText('text').insert(0, 'not ')
    text.observe(() => {
      if (text.length > 0) text.delete(0, 1)
    })
    expect(adoptContent(y, next, 'origin', fail)).toBe(false)
    expect(y.store.clients.has(77)).toBe(false)
    expect(text.toJSON()).not.toBe('not mine')
  })
})
