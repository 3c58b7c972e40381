/**
 * Keys, names and values may have been written by anyone in the grid. Control characters and those that turn the direction
 * of writing could make a terminal show something else than what is there.
 */
// oxlint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/
const HIDDEN_IN_JSON = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A text on one line, as it is, or as JSON with escapes where it has characters that do not show. */
export function visible(text: string): string {
  return HIDDEN.test(text) ? visibleJson(JSON.stringify(text)) : text
}

/** JSON of the same meaning, all of which shows. */
export function visibleJson(json: string): string {
  return json.replaceAll(HIDDEN_IN_JSON, (hidden) => `\\u${hidden.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
