import { GridError } from '../errors.ts'
import { NAME_MAX_BYTES } from '../limits.ts'
import { shown } from '../shown.ts'
import { isPlain } from './generations.ts'

/** Throws `INVALID_NAME` unless `name` is 1 to 128 bytes of well-formed text without control characters. `what` it names. */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== 'string') throw new GridError('INVALID_NAME', `a ${what} name is text, not ${shown(name)}`)
  if (name === '') throw new GridError('INVALID_NAME', `a ${what} name must not be empty`)
  if (!name.isWellFormed()) throw new GridError('INVALID_NAME', `a ${what} name must be well-formed text`)
  if (hasControls(name)) {
    throw new GridError('INVALID_NAME', `a ${what} name must not contain control characters`)
  }
  const sizeBytes = new TextEncoder().encode(name).length
  if (sizeBytes > NAME_MAX_BYTES) {
    throw new GridError('INVALID_NAME', `a ${what} name of ${sizeBytes} bytes; the limit is ${NAME_MAX_BYTES}`)
  }
}

/** Throws `INVALID_NAME` unless an application may give a collection this name. */
export function checkCollectionName(name: unknown): asserts name is string {
  checkName(name, 'collection')
  if (!isPlain(name)) throw new GridError('INVALID_NAME', 'a collection name must not contain U+E000')
}

export function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}
