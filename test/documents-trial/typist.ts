import { setTimeout as delay } from 'node:timers/promises'
import * as Y from 'yjs'
import type { Keystroke } from '../../bench/trace.ts'
import type { ErasedCharacter, TypedCharacter, TypingLedger } from './typist-calls.ts'

/** Edits between two turns of the event loop. Edits of other typists arrive in between. */
const EDITS_PER_TURN = 20
/** One edit in so many types or takes out a marker; the others are keystrokes of the trace. */
const EDITS_PER_MARKER = 25
/** Chinese characters: the trace has none. */
const MARKERS_START = 0x4e00
const MARKERS_PER_SEAT = 4000

/** Types keystrokes into a text that others type into as well, and records each. */
export class Typist {
  readonly #doc: Y.Doc
  readonly #text: Y.Text
  readonly #seat: number
  readonly #keystrokes: Iterator<Keystroke>
  readonly #typed: TypedCharacter[] = []
  readonly #erased: ErasedCharacter[] = []
  readonly #markersKept: string[] = []
  readonly #markersErased: string[] = []
  #edits = 0
  /** The text now. It cannot change until the end of the turn. */
  #shown = ''

  constructor(doc: Y.Doc, text: Y.Text, seat: number, keystrokes: readonly Keystroke[]) {
    this.#doc = doc
    this.#text = text
    this.#seat = seat
    this.#keystrokes = keystrokes.values()
  }

  get ledger(): TypingLedger {
    const [markersKept, markersErased] = [this.#markersKept, this.#markersErased]
    return { typed: this.#typed, erased: this.#erased, markersKept, markersErased }
  }

  async type(count: number): Promise<void> {
    const end = this.#edits + count
    while (this.#edits < end) {
      this.#shown = this.#text.toJSON()
      for (let i = 0; i < EDITS_PER_TURN && this.#edits < end; i++) this.#edit()
      await delay(0)
    }
  }

  /** Each edit is a transaction, as keystrokes in an editor are. */
  #edit(): void {
    this.#edits++
    if (this.#edits % EDITS_PER_MARKER === 0) this.#mark()
    else this.#replay()
  }

  #replay(): void {
    const { position, text } = this.#nextKeystroke()
    // The positions are those of a text with one typist. Here they lead anywhere, also into words of others.
    const index = position % (this.#shown.length + 1)
    if (text !== '') this.#insert(index, text)
    else this.#takeOut(this.#unmarkedFrom(index)!)
  }

  /** Skips keystrokes that would take out something where there is nothing. */
  #nextKeystroke(): Keystroke {
    for (let next = this.#keystrokes.next(); next.done !== true; next = this.#keystrokes.next()) {
      if (next.value.text !== '' || this.#unmarkedFrom(0) !== undefined) return next.value
    }
    throw new Error('the slice of the trace is too short')
  }

  /** Types two markers, takes one of them out, and so on. */
  #mark(): void {
    const count = this.#markersKept.length + this.#markersErased.length
    const turn = this.#edits / EDITS_PER_MARKER
    if (turn % 3 !== 0) {
      const marker = String.fromCharCode(MARKERS_START + this.#seat * MARKERS_PER_SEAT + count)
      this.#markersKept.push(marker)
      this.#insert((turn * 7919) % (this.#shown.length + 1), marker)
    } else {
      const [marker] = this.#markersKept.splice((turn * 7919) % this.#markersKept.length, 1)
      this.#markersErased.push(marker!)
      this.#takeOut(this.#shown.indexOf(marker!))
    }
  }

  #insert(index: number, text: string): void {
    const { clientID, store } = this.#doc
    this.#typed.push([clientID, Y.getState(store, clientID), text])
    this.#text.insert(index, text)
    this.#shown = this.#shown.slice(0, index) + text + this.#shown.slice(index)
  }

  #takeOut(index: number): void {
    this.#doc.transact(({ deleteSet }) => {
      this.#text.delete(index, 1)
      for (const [client, ranges] of deleteSet.clients) {
        for (const { clock } of ranges) this.#erased.push([client, clock])
      }
    })
    this.#shown = this.#shown.slice(0, index) + this.#shown.slice(index + 1)
  }

  /** The first character from there on that is no marker: only the typist of a marker takes it out. */
  #unmarkedFrom(start: number): number | undefined {
    for (let i = 0; i < this.#shown.length; i++) {
      const index = (start + i) % this.#shown.length
      if (this.#shown.charCodeAt(index) < MARKERS_START) return index
    }
    return undefined
  }
}
