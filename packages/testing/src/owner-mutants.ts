import { Ownership, Peer, Rendezvous } from '@gossipgrid/core/internals'
import type { Registrations } from '@gossipgrid/core/internals'
import { replaceMethod } from './replacements.ts'

/** A copy is whole once it equals another one, which may have nothing either. */
function wholeByEqual(): () => void {
  return replaceMethod(Ownership.prototype, 'met', (original) => {
    return function met(this: Ownership, ...args: Parameters<Ownership['met']>): void {
      original.apply(this, args)
      const { placement } = this
      for (const name of [...placement.copies.names()]) {
        const origin = placement.registered(name)?.origin
        if (origin === undefined || placement.isWhole(name) || !placement.isPublishedBy(name, args[0])) continue
        placement.copies.complete(name, origin)
      }
    }
  })
}

/** The owners are those of the registered peers that a peer reaches now. */
function liveOwners(): () => void {
  const registered = new WeakMap<Rendezvous, Registrations>()
  const peers = new WeakMap<Rendezvous, Peer>()
  const changes = new WeakMap<Rendezvous, number>()
  let update: Rendezvous['update'] | undefined
  const reached = (placement: Rendezvous, registrations: Registrations): Registrations => {
    const neighbours = peers.get(placement)?.neighbours
    if (neighbours === undefined) return registrations
    const isThere = (peerId: string): boolean => peerId === placement.peerId || neighbours.has(peerId)
    return { ...registrations, owners: registrations.owners.filter(({ peerId }) => isThere(peerId)) }
  }
  const restoreUpdate = replaceMethod(Rendezvous.prototype, 'update', (original) => {
    update = original
    return function updateReached(this: Rendezvous, registrations: Registrations): void {
      registered.set(this, registrations)
      original.call(this, reached(this, registrations))
    }
  })
  const restoreStep = replaceMethod(Peer.prototype, 'step', (original) => {
    return function step(this: Peer, ...args: Parameters<Peer['step']>): ReturnType<Peer['step']> {
      const placement = this.collections.placement as Rendezvous
      peers.set(placement, this)
      const registrations = registered.get(placement)
      if (registrations !== undefined && changes.get(placement) !== this.neighbours.changes) {
        changes.set(placement, this.neighbours.changes)
        update!.call(placement, reached(placement, registrations))
      }
      return original.apply(this, args)
    }
  })
  return () => {
    restoreStep()
    restoreUpdate()
  }
}

/** A purge floor waits for the owners alone, and not for former owners that still have copies. */
function floorOfOwners(): () => void {
  return replaceMethod(Rendezvous.prototype, 'publishers', (original) => {
    return function publishers(this: Rendezvous, ...[name]: Parameters<Rendezvous['publishers']>) {
      const owners = this.owners(name) as ReadonlySet<string>
      return original.call(this, name).filter((peer) => owners.has(peer))
    }
  })
}

export type OwnerMutantName = 'whole-by-equal' | 'live-owners' | 'floor-of-owners'

/** Planted bugs in who owns a partition, and in when a copy is whole. */
export const OWNER_MUTANTS: Readonly<Record<OwnerMutantName, () => () => void>> = {
  'whole-by-equal': wholeByEqual,
  'live-owners': liveOwners,
  'floor-of-owners': floorOfOwners,
}
