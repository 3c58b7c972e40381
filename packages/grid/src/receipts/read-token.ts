import { ByteReader, GridError, NAME_MAX_BYTES, shown } from '@gossipgrid/core'
import type { PartitionName } from '@gossipgrid/core'
import { fromBase64Url } from './base64url.ts'
import { TOKEN_VERSION } from './token.ts'
import type { Dot } from './token.ts'

/** More than the token of the largest batch takes: 1,000 writes to as many collections. */
const TOKEN_MAX_BYTES = 256_000

/** A write that a token names. */
export interface NamedDot extends Dot {
  readonly name: PartitionName
}

/** The writes that a token names. It may come from anyone. Throws `INVALID_TOKEN`. */
export function readToken(token: unknown, seed: number): NamedDot[] {
  if (typeof token !== 'string') throw invalid(`a token is text, not ${shown(token)}`)
  if (token.length > TOKEN_MAX_BYTES) throw invalid(`a token has at most ${TOKEN_MAX_BYTES} bytes`)
  const reader = new ByteReader(bytesOf(token))
  const dots: NamedDot[] = []
  let owner: number
  try {
    // Any other text may begin with any version.
    if (reader.byte() !== TOKEN_VERSION) throw malformed()
    owner = reader.varint()
    do dots.push(readDot(reader))
    while (reader.remaining > 0)
  } catch {
    throw malformed()
  }
  if (owner !== seed >>> 0) throw invalid('the token is of another grid')
  return dots
}

function readDot(reader: ByteReader): NamedDot {
  const collection = reader.text(NAME_MAX_BYTES)
  const name = { collection, kind: reader.varint(), partition: reader.varint() }
  return { name, replicaId: reader.replicaId(), sequence: reader.varint() }
}

function bytesOf(token: string): Uint8Array {
  try {
    return fromBase64Url(token)
  } catch {
    throw malformed()
  }
}

function malformed(): GridError {
  return invalid('that is no token that this version reads: pass what a receipt has as token, unchanged')
}

function invalid(message: string): GridError {
  return new GridError('INVALID_TOKEN', message)
}
