/**
 * Any user may have written keys, names, values, file names and errors. Control characters (C0, DEL, C1), those that
 * change the direction of writing, line separators and the byte order mark could make a terminal show something else
 * than the text, or make another program cut a line in two.
 */
const NOT_IN_JSON = '\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff'
const HIDDEN = new RegExp(`[\\u0000-\\u001f${NOT_IN_JSON}]`)
const ALL_HIDDEN = new RegExp(HIDDEN, 'g')
const HIDDEN_IN_JSON = new RegExp(`[${NOT_IN_JSON}]`, 'g')
/** Characters that a text of several lines may not have: all of them but tab and line feed. */
const HIDDEN_IN_LINES = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f${NOT_IN_JSON}]`, 'g')

/** The colours of this program: the only control sequences that a text for a terminal may have. */
// oxlint-disable-next-line no-control-regex
const COLOUR = /(\u001b\[(?:[12]|22|3[1-69]|90)m)/

/** A text on one line: as it is, or as JSON with escapes where it has invisible characters. */
export function visible(text: string): string {
  return HIDDEN.test(text) ? visibleJson(JSON.stringify(text)) : text
}

/** Equivalent JSON without invisible characters. JSON itself escapes C0. */
export function visibleJson(json: string): string {
  return json.replaceAll(HIDDEN_IN_JSON, escaped)
}

/** A text of several lines for people, with escapes in place of all other invisible characters. */
export function visibleLines(text: string): string {
  return text.replaceAll(HIDDEN_IN_LINES, escaped)
}

/** The same for a text that this program has coloured. */
export function visibleColoured(text: string): string {
  return text
    .split(COLOUR)
    .map((part, i) => (i % 2 === 1 ? part : visibleLines(part)))
    .join('')
}

/** A text for people on one line, with escapes in place of invisible characters. */
export function visibleLine(text: string): string {
  return text.replaceAll(ALL_HIDDEN, escaped)
}

function escaped(hidden: string): string {
  return `\\u${hidden.charCodeAt(0).toString(16).padStart(4, '0')}`
}
