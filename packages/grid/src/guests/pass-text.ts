import { GridError, hasControls } from '@gossipgrid/core'
import { fromBase64Url } from '../receipts/base64url.ts'
import { checkGrants } from './grants.ts'
import type { Grant } from './grants.ts'
import { PASS_ID_MAX_BYTES, PASS_MAX_BYTES, SUBJECT_MAX_BYTES } from './guest-limits.ts'

/** A pass, or a function that gets one, such as from the server that has logged the user in. It is called again before a pass ends. */
export type PassSource = string | (() => string | Promise<string>)

/** What a pass says. */
export interface PassContent {
  /** By which it can be revoked. */
  readonly id: string
  /** Whom it is for, such as a user. */
  readonly subject: string
  /** Wall time in milliseconds. */
  readonly expiresAtMs: number
  /** What it allows. */
  readonly grants: readonly Grant[]
  /** The only peer that may use it, if there is one. */
  readonly peerId?: string
  /** The grid that it is for. */
  readonly grid: string
}

/** The content of a pass, and the key with which it says that it is signed. */
export interface ReadPass extends PassContent {
  /** The 32 bytes of an Ed25519 public key. */
  readonly publicKey: Uint8Array
}

/** What the header of a pass says its type is, so that it is taken for no other token. */
export const PASS_TYPE = 'gossipgrid-pass+jwt'

/** Reads a pass without checking its signature, which only a member can. Throws `PASS_INVALID` for text that is no pass. */
export function readPass(pass: unknown): ReadPass {
  if (typeof pass !== 'string' || pass.length > PASS_MAX_BYTES) throw passInvalid('it is no text of a pass')
  try {
    const [header, payload] = pass.split('.', 2).map((part) => JSON.parse(textOf(part)) as Record<string, unknown>)
    const { x } = header!['jwk'] as { readonly x: string }
    const publicKey = fromBase64Url(x)
    if (publicKey.length !== 32) throw passInvalid('its key is none')
    return { ...passContent(payload!), publicKey }
  } catch (error) {
    if (error instanceof GridError && error.code === 'PASS_INVALID') throw error
    throw passInvalid('it is no text of a pass')
  }
}

/** The content of a pass by its claims. Throws `PASS_INVALID`. */
export function passContent(claims: Readonly<Record<string, unknown>>): PassContent {
  const { jti, sub, exp, aud, grants, peer } = claims
  if (!isText(jti, PASS_ID_MAX_BYTES) || !isText(sub, SUBJECT_MAX_BYTES) || hasControls(sub) || !isText(aud, 1024))
    throw passInvalid('it lacks an id, a subject or its grid')
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw passInvalid('it does not say when it ends')
  if (peer !== undefined && !isText(peer, 128)) throw passInvalid('its peer id is none')
  try {
    const content = { id: jti, subject: sub, expiresAtMs: exp * 1000, grants: checkGrants(grants), grid: aud }
    return peer === undefined ? content : { ...content, peerId: peer }
  } catch (cause) {
    throw passInvalid('this version does not know its grants', cause)
  }
}

export function passInvalid(why: string, cause?: unknown): GridError {
  return new GridError('PASS_INVALID', `the pass is not valid: ${why}`, cause === undefined ? {} : { cause })
}

/** Whether it is well-formed text of at least one byte and at most `maxBytes`. */
export function isText(value: unknown, maxBytes: number): value is string {
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) return false
  return new TextEncoder().encode(value).length <= maxBytes
}

function textOf(part: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(fromBase64Url(part))
}
