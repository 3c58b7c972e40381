/** A text as one word of a command line for a person to copy: in quotes where a shell would read something else. */
export function shellWord(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
