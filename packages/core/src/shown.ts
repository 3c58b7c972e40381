const TEXT_SHOWN_MAX_CHARACTERS = 40

/**
 * A value of a wrong type or out of its range, as an error message shows it: with its type where that is not plain to see, so that
 * the text "3" does not look like the number.
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `the text ${JSON.stringify(shortened(value))}`
    case 'bigint':
      return `the bigint ${shortened(String(value))}`
    case 'function':
    case 'symbol':
      return `a ${typeof value}`
    case 'object':
      return value === null ? 'null' : shownObject(value)
    default:
      return String(value)
  }
}

/** An object by the name that the language gives its kind, such as Date, Map and Promise: someone may have forgotten to await it. */
function shownObject(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  return kind === 'Object' ? 'an object' : `an object (${shortened(kind)})`
}

function shortened(text: string): string {
  return text.length > TEXT_SHOWN_MAX_CHARACTERS ? `${text.slice(0, TEXT_SHOWN_MAX_CHARACTERS)}…` : text
}
