/** Where a text stops being JSON, and why. The words are ours, so that they are the same in every runtime. */
export interface JsonFault {
  /** In UTF-16 code units. */
  readonly index: number
  readonly words: string
}

/** What may stand at a place: a value, the name of a field, a colon, what comes after a value. */
type Place = 'value' | 'first value' | 'name' | 'first name' | 'colon' | 'after'

const SPACE = /[\t\n\r ]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /[\p{L}_$][\p{L}\p{N}_$]*/uy
/** From the space on, without the double quote and the backslash. */
const PLAIN_TEXT = /[ !#-[\]-\uffff]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y
const WORDS: ReadonlySet<string> = new Set(['true', 'false', 'null'])

const WANTED: Readonly<Record<Exclude<Place, 'after'>, string>> = {
  value: 'a value',
  'first value': 'a value or ]',
  name: 'the name of a field in double quotes',
  'first name': 'the name of a field in double quotes, or }',
  colon: 'a colon',
}

/** The first place where a text is no JSON; undefined where it is. */
export function jsonFault(text: string): JsonFault | undefined {
  const reader = new Reader(text)
  try {
    reader.read()
    return undefined
  } catch (fault) {
    if (fault instanceof Fault) return fault
    throw fault
  }
}

/** The line and the column of a place in a text, both from 1. A column is one character. */
export function placeIn(text: string, index: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, index)
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: Array.from(before.slice(lineStart)).length + 1 }
}

/** A text is no JSON. The message is a predicate: it says where and why. */
export class JsonError extends SyntaxError {
  /** Of the place where it stops being JSON, in UTF-16 code units. */
  readonly index: number
  readonly words: string

  constructor(text: string, { index, words }: JsonFault) {
    const { line, column } = placeIn(text, index)
    super(`is no JSON at ${line === 1 ? '' : `line ${line}, `}column ${column}: ${words}`)
    this.name = 'JsonError'
    this.index = index
    this.words = words
  }
}

/** As `JSON.parse`, with errors in our words. Throws `JsonError`. */
export function parseJson(text: string, reviver?: Reviver): unknown {
  try {
    return JSON.parse(text, reviver) as unknown
  } catch (error) {
    const fault = error instanceof SyntaxError ? jsonFault(text) : undefined
    throw fault === undefined ? error : new JsonError(text, fault)
  }
}

type Reviver = (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) => unknown

class Fault extends Error implements JsonFault {
  readonly index: number
  readonly words: string

  constructor(index: number, words: string) {
    super(words)
    this.index = index
    this.words = words
  }
}

/** Reads JSON without keeping it. It has a stack of its own, since a text may nest a million arrays. */
class Reader {
  readonly #text: string
  readonly #open: ('[' | '{')[] = []
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Throws `Fault`. */
  read(): void {
    let place: Place = 'value'
    for (;;) {
      this.#match(SPACE)
      if (place === 'after' && this.#open.length === 0) {
        if (this.#at < this.#text.length) throw this.#unexpected('nothing more')
        return
      }
      place = this.#step(place)
    }
  }

  #step(place: Place): Place {
    const character = this.#text[this.#at] ?? ''
    const inside = this.#open.at(-1)
    if (place === 'after') return this.#afterValue(character, inside === '[' ? ']' : '}')
    if (place === 'colon') {
      if (character !== ':') throw this.#unexpected(WANTED.colon)
      this.#at += 1
      return 'value'
    }
    const isEnd = (place === 'first value' && character === ']') || (place === 'first name' && character === '}')
    if (isEnd) return this.#close()
    if (place === 'value' || place === 'first value') return this.#value(character, WANTED[place])
    if (character !== '"') throw this.#unexpected(WANTED[place])
    this.#quoted()
    return 'colon'
  }

  #afterValue(character: string, end: string): Place {
    if (character === end) return this.#close()
    if (character !== ',') throw this.#unexpected(`a comma or ${end}`)
    this.#at += 1
    return end === ']' ? 'value' : 'name'
  }

  #close(): Place {
    this.#at += 1
    this.#open.pop()
    return 'after'
  }

  #value(character: string, wanted: string): Place {
    if (character === '[' || character === '{') {
      this.#open.push(character)
      this.#at += 1
      return character === '[' ? 'first value' : 'first name'
    }
    if (character === '"') this.#quoted()
    else if (/[-\d]/.test(character)) this.#number()
    else this.#word(wanted)
    return 'after'
  }

  #number(): void {
    if (this.#match(NUMBER) === '') throw new Fault(this.#at, 'a digit should follow the minus')
  }

  #word(wanted: string): void {
    const start = this.#at
    const word = this.#match(WORD)
    if (WORDS.has(word)) return
    this.#at = start
    if (word !== '') throw new Fault(start, `${shortened(word)} is no value of JSON`)
    throw this.#unexpected(wanted)
  }

  #quoted(): void {
    const start = this.#at
    this.#at += 1
    for (;;) {
      this.#match(PLAIN_TEXT)
      const character = this.#text[this.#at]
      if (character === undefined) throw new Fault(start, 'the text that begins here has no closing double quote')
      if (character === '"') break
      if (character !== '\\') throw new Fault(this.#at, 'a control character in a text must be an escape such as \\n')
      if (this.#match(ESCAPE) === '') throw new Fault(this.#at, 'JSON has no such escape')
    }
    this.#at += 1
  }

  /** Goes past what a sticky pattern matches here, and returns it. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const [found = ''] = pattern.exec(this.#text) ?? []
    this.#at += found.length
    return found
  }

  #unexpected(wanted: string): Fault {
    const code = this.#text.codePointAt(this.#at)
    if (code === undefined) return new Fault(this.#at, `the text ends where ${wanted} should be`)
    const character = String.fromCodePoint(code)
    const hint = character === "'" ? ': texts have double quotes' : ''
    return new Fault(this.#at, `${wanted} should be here, not ${character}${hint}`)
  }
}

function shortened(word: string): string {
  return word.length > 20 ? `${word.slice(0, 20)}…` : word
}
