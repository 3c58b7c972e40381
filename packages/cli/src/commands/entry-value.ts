import { CliError } from '../cli-error.ts'
import { JsonError } from '../formats/json/json-fault.ts'
import { parseTagged } from '../formats/json/tagged-json.ts'

/**
 * The value of an argument: JSON if it is valid JSON, else text. An invalid argument that begins like an object, an
 * array or a quoted text is a mistake and no text. Throws `USAGE`.
 */
export function readValue(typed: string): unknown {
  try {
    return parseTagged(typed)
  } catch (error) {
    if (!/^\s*[[{"]/.test(typed) && !/lose digits/.test((error as Error).message)) return typed
    throw new CliError(
      'USAGE',
      error instanceof JsonError ? `the value ${error.message}` : `the value is no JSON: ${(error as Error).message}`,
      'Quote it for the shell, as in \'{"age":36}\', or store it as text with --string.',
    )
  }
}
