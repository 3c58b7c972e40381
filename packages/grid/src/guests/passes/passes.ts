import { GridError, hasControls, requireKnown, shown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { SignJWT, errors, jwtVerify } from 'jose'
import { checkCount, misfit } from '../../batches/checks.ts'
import { toBase64Url } from '../../receipts/base64url.ts'
import { checkGrants } from '../grants.ts'
import type { Grant } from '../grants.ts'
import { PASS_ID_MAX_BYTES, PASS_LIFE_MAX_MS, PASS_MAX_BYTES, SUBJECT_MAX_BYTES } from '../guest-limits.ts'
import { PASS_TYPE, isText, passContent, passInvalid } from '../pass-text.ts'
import type { PassContent } from '../pass-text.ts'
import type { PassKey } from './pass-keys.ts'

/** Options of `grid.issuePass`. */
export interface PassOptions {
  /** Whom the pass is for, such as the id of a user: 1 to 128 bytes of text. Writes are counted by it. */
  readonly subject: string
  /** How long it is valid, in milliseconds: at least 1,000, at most 31 days. */
  readonly expiresInMs: number
  /** What it allows: 1 to 64 grants. */
  readonly grants: readonly Grant[]
  /** The only peer that may use it: `grid.peerId` of the guest. Default: any peer that has the pass. */
  readonly peerId?: string
  /** By which `grid.revokePass` revokes it: 1 to 64 bytes of text. Default: a random one. */
  readonly id?: string
}

const OPTIONS: Known<PassOptions> = { subject: true, expiresInMs: true, grants: true, peerId: true, id: true }
const LIFE_MIN_MS = 1000

/** Issues and checks the passes of one grid. Every member has the same keys, so each accepts what another one issues. */
export class Passes {
  readonly keys: readonly PassKey[]
  readonly #name: string
  readonly #wallMs: () => number

  constructor(name: string, keys: readonly PassKey[], wallMs: () => number) {
    this.#name = name
    this.keys = keys
    this.#wallMs = wallMs
  }

  /** Rejects with `INVALID_OPTION`, `INVALID_NAME`. */
  async issue(options: PassOptions): Promise<string> {
    requireKnown(options, OPTIONS)
    const { subject, expiresInMs, peerId, id = crypto.randomUUID() } = options
    checkText('subject', subject, SUBJECT_MAX_BYTES)
    if (hasControls(subject)) throw misfit('subject', 'text without control characters', subject)
    checkText('id', id, PASS_ID_MAX_BYTES)
    if (peerId !== undefined) checkText('peerId', peerId, 128)
    if (expiresInMs === undefined) throw misfit('expiresInMs', 'a number of milliseconds', expiresInMs)
    checkCount('expiresInMs', expiresInMs, LIFE_MIN_MS, PASS_LIFE_MAX_MS)
    const grants = checkGrants(options.grants)
    const [{ privateKey, jwk }] = this.keys as readonly [PassKey]
    const wallMs = this.#wallMs()
    const pass = await new SignJWT({ grants, ...(peerId === undefined ? {} : { peer: peerId }) })
      .setProtectedHeader({ alg: 'EdDSA', typ: PASS_TYPE, jwk })
      .setAudience(this.#name)
      .setSubject(subject)
      .setJti(id)
      .setIssuedAt(Math.floor(wallMs / 1000))
      .setExpirationTime(Math.ceil((wallMs + expiresInMs) / 1000))
      .sign(privateKey)
    if (pass.length <= PASS_MAX_BYTES) return pass
    throw new GridError('INVALID_OPTION', `grants make a pass of ${pass.length} bytes; the limit is ${PASS_MAX_BYTES}`)
  }

  /** The content of a pass that `peerId` shows, if a member has issued it for this grid. Rejects with `PASS_INVALID`. */
  async check(pass: unknown, peerId: string): Promise<PassContent> {
    if (typeof pass !== 'string' || pass.length > PASS_MAX_BYTES) throw passInvalid('it is no text of a pass')
    const content = passContent(await this.#claims(pass))
    if (content.peerId !== undefined && content.peerId !== peerId) throw passInvalid('it is for another peer')
    const lifeMs = content.expiresAtMs - this.#wallMs()
    if (lifeMs > PASS_LIFE_MAX_MS + LIFE_MIN_MS) throw passInvalid('it lasts longer than a pass may')
    return content
  }

  /** Signs with the private key of these 32 public bytes; undefined if it is none of this grid. */
  async sign(publicKey: Uint8Array, text: Uint8Array<ArrayBuffer>): Promise<Uint8Array | undefined> {
    const x = toBase64Url(publicKey)
    const key = this.keys.find(({ jwk }) => jwk.x === x)
    return key && new Uint8Array(await crypto.subtle.sign('Ed25519', key.privateKey, text))
  }

  /** Only the member's own keys count: the key in the header is for the guest alone. */
  async #claims(pass: string): Promise<Readonly<Record<string, unknown>>> {
    let failure: unknown
    for (const { publicKey } of this.keys) {
      try {
        const { payload } = await jwtVerify(pass, publicKey, {
          algorithms: ['EdDSA'],
          audience: this.#name,
          typ: PASS_TYPE,
          requiredClaims: ['sub', 'jti', 'exp', 'iat'],
          currentDate: new Date(this.#wallMs()),
        })
        return payload
      } catch (error) {
        failure = error
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) break
      }
    }
    throw passInvalid(reasonOf(failure), failure)
  }
}

function reasonOf(failure: unknown): string {
  if (failure instanceof errors.JWTExpired) return 'it has expired'
  if (failure instanceof errors.JWSSignatureVerificationFailed) return 'no member of this grid has signed it'
  if (failure instanceof errors.JWTClaimValidationFailed && failure.claim === 'aud') return 'it is for another grid'
  return 'it is no pass of a grid'
}

function checkText(name: string, value: unknown, maxBytes: number): void {
  if (isText(value, maxBytes)) return
  throw new GridError('INVALID_OPTION', `${name} is text of 1 to ${maxBytes} bytes, not ${shown(value)}`)
}
