import { describe, expect, it } from 'vitest'
import { Doc, Map as YMap, Text, XmlElement, XmlText, encodeStateAsUpdate } from 'yjs'
import { documentText } from './document-text.ts'

function textOf(edit: (doc: Doc) => void): Promise<string> {
  const doc = new Doc()
  edit(doc)
  return documentText(encodeStateAsUpdate(doc))
}

function paragraph(...children: (XmlText | XmlElement)[]): XmlElement {
  const element = new XmlElement('p')
  element.insert(0, children)
  return element
}

describe('the text of a document', () => {
  it('is what its text shows, byte for byte', async () => {
    const text = await textOf((doc) => {
      const content = doc.getText('content')
      content.insert(0, 'Zoë 𝄞\nhas left ')
      content.insert(0, 'not ')
      content.delete(0, 4)
      content.insert(13, 'bold', { bold: true })
      content.insertEmbed(3, { image: 'x' })
    })
    expect(text).toBe('Zoë 𝄞\nhas leboldft ')
  })

  it('of XML has a line for each element', async () => {
    const text = await textOf((doc) => {
      const item = new XmlElement('li')
      item.insert(0, [paragraph(new XmlText('two'))])
      doc.getXmlFragment('prosemirror').insert(0, [paragraph(new XmlText('one'), new XmlText('!')), item])
    })
    expect(text).toBe('one!\ntwo\n')
  })

  it('has every text, in the order of their names, and no maps', async () => {
    const text = await textOf((doc) => {
      doc.getText('b').insert(0, 'second')
      doc.getText('a').insert(0, 'first')
      doc.getMap('m').set('text', new Text('in a map'))
      doc.getArray('n').insert(0, [1, new YMap()])
    })
    expect(text).toBe('first\nsecond')
    expect(await textOf(() => undefined)).toBe('')
  })
})
