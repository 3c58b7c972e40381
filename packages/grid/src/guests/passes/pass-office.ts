import { requireKind } from '../../batches/checks.ts'
import { PASS_ID_MAX_BYTES } from '../guest-limits.ts'
import { isText, passInvalid, readPass } from '../pass-text.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { passKeysOf } from './pass-keys.ts'
import { Passes } from './passes.ts'
import { Revocations } from './revocations.ts'

/** Where a member issues, checks and revokes passes. */
export interface PassOffice {
  readonly passes: Passes
  readonly revocations: Revocations
  /** By the id of a pass, or by its text. Rejects with `PASS_INVALID`, `INVALID_OPTION`. */
  revoke(pass: string): Promise<void>
}

/** Loads what passes need: only members that issue or check one pay for it. */
export async function openPassOffice(name: string, secrets: readonly string[], writes: WritePath): Promise<PassOffice> {
  const keys = await passKeysOf(name, secrets)
  const revocations = new Revocations(writes)
  return {
    passes: new Passes(name, keys, () => writes.pump.wallMs),
    revocations,
    revoke: async (pass) => {
      requireKind('what revokePass is given', pass, 'text')
      const id = pass.includes('.') ? readPass(pass).id : pass
      if (!isText(id, PASS_ID_MAX_BYTES)) throw passInvalid('it is neither a pass nor the id of one')
      await revocations.revoke(id)
    },
  }
}
