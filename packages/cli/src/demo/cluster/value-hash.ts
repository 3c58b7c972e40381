import { hash } from 'node:crypto'

/** A hash of a plain value, the same in every process, whatever the grid encodes it as. */
export function valueHash(value: unknown): string {
  return hash('sha1', JSON.stringify(value), 'base64url')
}
