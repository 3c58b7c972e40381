/** A target, and which side of it is good. */
export interface Target {
  readonly atLeast?: number
  readonly atMost?: number
}

/** By bench and figure. */
export const TARGETS: Readonly<Record<string, Readonly<Record<string, Target>>>> = {
  awaited: {
    awaitedWithNeighbourPerSec: { atLeast: 4000 },
    aloneOverWithNeighbour: { atMost: 1.3 },
  },
  browser: {
    tabToTabMemoryP50Ms: { atMost: 15 },
    tabToTabStoredP50Ms: { atMost: 30 },
    tabToNodeMemoryP50Ms: { atMost: 10 },
    tabToNodeStoredP50Ms: { atMost: 25 },
    joinVisibleMs: { atMost: 8000 },
    joinStoredMs: { atMost: 15_000 },
    joinLongestBlockMs: { atMost: 100 },
    reopenMs: { atMost: 2000 },
  },
  document: {
    traceOverPlainYjs: { atMost: 1.3 },
    storedOverYjsV1: { atMost: 1.2 },
    openMs: { atMost: 60 },
    receivedKeystrokesPerSec: { atLeast: 40_000 },
    bytesPerClosedDocument: { atMost: 1024 },
  },
  engine: {
    putPerSec100k: { atLeast: 500_000 },
    mapSetCallsPerSec: { atLeast: 150_000 },
    applyBatchedPerSec100k: { atLeast: 500_000 },
    bytesPerEntry100k: { atMost: 250 },
    bytesPerEntry1M: { atMost: 250 },
    replicatedBytesPerEntry100k: { atMost: 250 },
    replicatedBytesPerEntry1M: { atMost: 250 },
    counterIncrementCpuNs: { atMost: 300 },
    setAddCallsCpuNs: { atMost: 2000 },
    setBytesPerElement100k: { atMost: 120 },
    mapBytesPerTombstone100k: { atMost: 80 },
  },
  guests: {
    guestKilobytes: { atMost: 150 },
    changeToAllMaxMs: { atMost: 300 },
    idleCpuPercent: { atMost: 5 },
    filteringPercent: { atMost: 10 },
    guestsLost: { atMost: 0 },
  },
  'partitioned-queries': {
    largestP50Ms: { atMost: 5 },
  },
  partitioned: {
    getP50Ms: { atMost: 0.6 },
    getP99Ms: { atMost: 3 },
    getMany100P50Ms: { atMost: 3 },
    mixedPerSec: { atLeast: 30_000 },
    mixedUnreachable: { atMost: 0 },
    readsUnreachableMoving: { atMost: 0 },
    setOneCopyOverOwnMs: { atMost: 1.5 },
    joinedBytesOverShare: { atMost: 1.1 },
    readP99MovingOverSteady: { atMost: 2 },
    readP99OneStandsOverRuns: { atMost: 2 },
    readP99OneIsSlowOverRuns: { atMost: 2 },
  },
  placement: {
    lookupNs: { atMost: 300 },
    lookupTagNs: { atMost: 300 },
    lookupTextNs: { atMost: 300 },
    owners256Of100Ms: { atMost: 5 },
    owners256Of100WeightedMs: { atMost: 5 },
    owners256Of100ZonesMs: { atMost: 5 },
  },
  query: {
    equalityP50Ms: { atMost: 0.1 },
    rangeP50Ms: { atMost: 0.3 },
    scanRowsPerSec: { atLeast: 1_000_000 },
    scanLongestTurnCpuMs: { atMost: 8 },
    liveChangeCpuUs: { atMost: 100 },
    indexUpkeepCpuUs: { atMost: 2 },
    buildPerCpuSecName: { atLeast: 500_000 },
    buildPerCpuSecPopulation: { atLeast: 500_000 },
    buildPerCpuSecCountryPopulation: { atLeast: 500_000 },
    buildLongestTurnCpuMsName: { atMost: 8 },
    bytesPerEntryName: { atMost: 40 },
    bytesPerEntryPopulation: { atMost: 40 },
    bytesPerEntryCountryPopulation: { atMost: 40 },
  },
  idle: {
    cpuPercent5: { atMost: 0.3 },
    cpuPercent20: { atMost: 0.5 },
    sentBytesPerSec5: { atMost: 500 },
    sentBytesPerSec20: { atMost: 1000 },
    peerMegabytes5: { atMost: 100 },
  },
  'idle-partitions': {
    idleBytesPerSec10: { atMost: 2000 },
  },
  storage: {
    gridSingleWritesPerSec: { atLeast: 3000 },
    gridGroupedWritesPerSec: { atLeast: 100_000 },
    openMs100k: { atMost: 500 },
    openMs1M: { atMost: 4000 },
    checkpointMaxPauseMs1M: { atMost: 50 },
  },
  replicate: {
    writesPerSec: { atLeast: 30_000 },
    latencyP50Ms: { atMost: 3 },
    latencyP99Ms: { atMost: 15 },
    lateJoinMs: { atMost: 3000 },
    healMs: { atMost: 150 },
    healBytes: { atMost: 60_000 },
    wireBytesPerWrite: { atMost: 160 },
    receiverMaxStallMs: { atMost: 50 },
    privateCostPercent: { atMost: 15 },
  },
}

/** `ok`, `missed`, or nothing where there is no target. */
export function verdict(target: Target | undefined, value: number): '' | 'ok' | 'missed' {
  if (target === undefined) return ''
  return value >= (target.atLeast ?? -Infinity) && value <= (target.atMost ?? Infinity) ? 'ok' : 'missed'
}

export function describeTarget(target: Target | undefined): string {
  if (target?.atLeast !== undefined) return `>= ${target.atLeast}`
  return target?.atMost === undefined ? '' : `<= ${target.atMost}`
}
