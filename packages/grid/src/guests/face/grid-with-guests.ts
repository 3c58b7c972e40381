import { GridError } from '@gossipgrid/core'
import { GridCollections } from '../../collections/grid-collections.ts'
import type { GuestFace } from './guest-face.ts'
import type { PassOffice } from '../passes/pass-office.ts'
import type { PassOptions } from '../passes/passes.ts'

/** What a grid does for its guests, which hold a pass in place of the secret. */
export abstract class GridWithGuests extends GridCollections {
  /** Undefined where there are no guests, and no passes. */
  protected abstract readonly guestFace: GuestFace | undefined

  /**
   * Issues a pass for a guest: text that any program may carry in place of the secret. It allows what its `grants` say and nothing else,
   * at every member that serves guests, until it expires or is revoked. Rejects with `INVALID_OPTION`, `INVALID_NAME`, `CLOSED`;
   * with `INVALID_OPTION` also in tabs, at guests and in a grid without a secret.
   *
   * @example
   * ```ts
   * const member = await openGrid({ name: 'shop', secret: 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA' })
   * const pass = await member.issuePass({
   *   subject: 'user-42',
   *   expiresInMs: 3_600_000,
   *   grants: [{ map: 'todos', prefix: '42/', may: 'write' }, { map: 'news', may: 'read' }],
   * })
   * await member.close()
   * ```
   */
  async issuePass(options: PassOptions): Promise<string> {
    this.writes.pump.checkOpen()
    return (await this.#office()).passes.issue(options)
  }

  /**
   * Revokes a pass for good, by its text or its `id`. Resolves when that is durable here. Members refuse the pass as soon as they know,
   * and end the connection of its guest. Rejects with `PASS_INVALID` for text that is no pass, with `INVALID_OPTION` as `issuePass`
   * does, and as a write does.
   */
  async revokePass(pass: string): Promise<void> {
    this.writes.pump.checkOpen()
    await (await this.#office()).revoke(pass)
  }

  #office(): Promise<PassOffice> {
    const office = this.guestFace?.office()
    if (office !== undefined) return office
    throw new GridError('INVALID_OPTION', 'passes are issued by members of a grid with a secret, on servers')
  }
}
