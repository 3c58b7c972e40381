import { GUEST_NONCES_MAX, GridError, documentClient } from '@gossipgrid/core'
import type { Collections, DocumentKey, Peer } from '@gossipgrid/core'
import type { GuestDocuments, OpenedAtGuest } from '../../runtime/guest-status.ts'
import { coversDoc } from '../covering.ts'
import type { Grant } from '../grants.ts'

/** The documents of a guest, as far as its link to members knows. */
export class GuestEdits implements GuestDocuments {
  readonly collections: Collections
  readonly firstNonce: number
  /** Under whom the guest edits. Undefined before a member has let it in. */
  author: string | undefined
  grants: readonly Grant[] | undefined
  opened: () => OpenedAtGuest | undefined = () => undefined

  constructor({ collections, slotId }: Pick<Peer, 'collections' | 'slotId'>) {
    this.collections = collections
    this.firstNonce = Number.parseInt(slotId.slice(0, 8), 16) % (GUEST_NONCES_MAX / 2)
  }

  get replicaId(): string {
    return this.author ?? ''
  }

  isOwn({ client, nonce }: DocumentKey): boolean {
    return this.author !== undefined && nonce < GUEST_NONCES_MAX && client === documentClient(this.author, nonce)
  }

  check(name: string): void {
    const refusal = this.refusal(name)
    if (refusal !== undefined) throw refusal
  }

  refusal(name: string): GridError | undefined {
    const { author, grants = [] } = this
    if (author === undefined)
      return new GridError(
        'NETWORK_NOT_CONNECTED',
        'a guest opens documents once a member has let it in: await ready()',
      )
    if (coversDoc(grants, 'read', name)) return undefined
    return new GridError('FORBIDDEN', `the pass does not cover '${name}'`)
  }
}
