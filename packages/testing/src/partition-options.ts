import type { Violation } from './checkers.ts'

/** What a simulation of partitions is like. What is left out is drawn from the seed, or is not so. */
export interface PartitionSimulationOptions {
  readonly seed: number
  /** 3 to 6 by default. */
  readonly peers?: number
  /** Simulated minutes with faults, before everything is healed; 2 by default. */
  readonly minutes?: number
  /** Peers also write to partitions that they have no copy of, some without a disk. In most seeds if left out. */
  readonly hints?: boolean
  /** Two machines at most have a disk, and the others own as well. In some seeds if left out. */
  readonly memory?: boolean
  /** Machines leave and come back. In some seeds if left out. */
  readonly leaves?: boolean
  /** Every other read asks all owners, and mends those that are behind. */
  readonly repairs?: boolean
  /** Counters and a set as well. In some seeds if left out, where no weeks pass. */
  readonly keyed?: boolean
  /** Members are marked as away and back within seconds, and so the views of peers differ. */
  readonly views?: boolean
  /** Owners crash just when a former owner has dropped its copy. All disks are slow. */
  readonly drops?: boolean
  /** Links break while hints are under way, and owners crash just when one has ended. All disks are slow. */
  readonly resends?: boolean
  /** Readers follow some partitions. */
  readonly follows?: boolean
  /** Counters are deleted as well. */
  readonly deletes?: boolean
  /** Weeks pass now and then, and deletes are purged. In some seeds if left out. */
  readonly weeks?: boolean
}

/** What has happened in one. */
export interface PartitionSimulationResult {
  readonly seed: number
  readonly peers: number
  readonly minutes: number
  /** A hash over everything that happened. */
  readonly hash: string
  readonly writes: number
  readonly acknowledged: number
  /** Acknowledged writes that an owner lacks in the end. */
  readonly lost: number
  readonly excused: number
  /** Writes to partitions of others. */
  readonly hinted: number
  /** Reads that found an answer, and those that found no peer that could answer. */
  readonly reads: number
  readonly unreachable: number
  /** Copies that became whole, or were so again, and disks that lost something. */
  readonly wholes: number
  readonly lostDisks: number
  /** Simulated seconds from healing until all owners were whole and equal. */
  readonly settleSeconds: number
  /** Machines that handed over everything and left. */
  readonly leaves: number
  /** How often more than a grace period has passed, and deletes and expired values that were purged. */
  readonly weeks: number
  readonly purged: number
  /** Answers to readers that follow, and how often those had to begin again. */
  readonly followed: number
  readonly resets: number
  readonly violations: readonly Violation[]
}
