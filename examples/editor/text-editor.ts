import { defaultKeymap } from '@codemirror/commands'
import { markdown } from '@codemirror/lang-markdown'
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { EditorState } from '@codemirror/state'
import { EditorView, drawSelection, keymap, placeholder } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import type { GridDocument, GridError } from 'gossipgrid'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import { UndoManager } from 'yjs'
import { element } from '../shared/element.ts'
import type { Seat } from '../shared/seat.ts'

const HIGHLIGHTS = HighlightStyle.define([
  { tag: tags.heading, class: 'is-heading' },
  { tag: tags.strong, class: 'is-strong' },
  { tag: tags.emphasis, class: 'is-emphasis' },
  { tag: tags.monospace, class: 'is-code' },
  { tag: tags.link, class: 'is-link' },
  { tag: tags.processingInstruction, class: 'is-mark' },
])

/** The awareness state of a document: y-codemirror.next draws cursors by `user`. */
interface Reader {
  readonly user?: { readonly name: string; readonly color: string }
}

/** CodeMirror on a document of the grid, with the cursors of all users who have it open. */
export class TextEditor {
  readonly element: HTMLElement
  #user: Pick<Seat, 'name' | 'colour'>
  readonly #renew: (name: string) => void
  readonly #readers = element('ul', { class: 'readers', 'aria-label': 'Who has this document open' })
  readonly #ended = element('p', { class: 'ended', role: 'status' })
  #document: GridDocument | undefined
  #view: EditorView | undefined

  /** `renew` opens a document again after a compaction. */
  constructor(user: Pick<Seat, 'name' | 'colour'>, renew: (name: string) => void) {
    this.#user = user
    this.#renew = renew
    this.element = element('section', { class: 'page', 'aria-label': 'Document' }, this.#readers, this.#ended)
  }

  /** The shown document; '' before the first. */
  get name(): string {
    return this.#document?.name ?? ''
  }

  /** The name and the colour that other readers see. */
  set user(user: Pick<Seat, 'name' | 'colour'>) {
    this.#user = user
    this.#showUser()
  }

  /** Closes the present document and shows another one. */
  async open(document: GridDocument): Promise<void> {
    const before = this.#document
    this.#document = document
    this.#view?.destroy()
    if (before !== document) await before?.close()

    this.#showUser()
    document.awareness.on('change', () => this.#showReaders(document))
    document.on('ended', ({ error }) => this.#end(document, error))
    this.#ended.textContent = ''
    this.#view = new EditorView({ state: stateOf(document), parent: this.element })
    this.#showReaders(document)
  }

  #showUser(): void {
    const { name, colour } = this.#user
    this.#document?.awareness.setLocalStateField('user', { name, color: colour, colorLight: `${colour}33` })
  }

  #showReaders(document: GridDocument): void {
    if (document !== this.#document) return
    const states = [...document.awareness.getStates()] as [number, Reader][]
    const readers = states.flatMap(([client, { user }]) => (user === undefined ? [] : [{ client, ...user }]))
    this.#readers.replaceChildren(
      ...readers.map(({ client, name, color }) => {
        const self = client === document.y.clientID
        return element('li', { style: `--colour: ${color}` }, self ? `${name}, you` : name)
      }),
    )
  }

  #end(document: GridDocument, { code, message }: GridError): void {
    if (document !== this.#document) return
    this.#view?.destroy()
    if (code === 'DOCUMENT_GENERATION') this.#renew(document.name)
    else this.#ended.textContent = message
  }
}

function stateOf({ y, awareness, name }: GridDocument): EditorState {
  const text = y.getText('content')
  return EditorState.create({
    doc: text.toJSON(),
    extensions: [
      // Tab stays with the browser, for users who move through the page by keyboard.
      keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
      drawSelection(),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': `Text of ${name}` }),
      placeholder('Write something. Then open this page in a second tab.'),
      markdown(),
      syntaxHighlighting(HIGHLIGHTS),
      yCollab(text, awareness, { undoManager: new UndoManager(text) }),
    ],
  })
}
