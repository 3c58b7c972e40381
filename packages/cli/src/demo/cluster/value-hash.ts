import { hash } from 'node:crypto'

/** A hash of a plain value, the same in every process, however the grid encodes it. */
export function valueHash(value: unknown): string {
  return hash('sha1', JSON.stringify(value), 'base64url')
}
