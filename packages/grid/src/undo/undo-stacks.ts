/** Steps that can be undone. The oldest are forgotten first. */
const STEPS_MAX = 1000
/** Bytes of keys and values in both stacks. The oldest steps are forgotten first. */
const STEPS_MAX_BYTES: number = 16 * 1024 * 1024

/** What a step did to a row. */
export interface UndoneRow {
  /** The stored bytes before. Undefined if there were none. */
  readonly before: Uint8Array | undefined
  /** The version that the step gave the row. While the row has another one, another peer has written it since. */
  version: string
  /** The state before was that of the step below: undoing this one makes that one possible again. */
  readonly follows: boolean
}

/** Rows that are undone together, by key. */
export type Step = Map<string, UndoneRow>

/** The steps of one direction, with the rows of all of them by key. */
class Stack {
  readonly steps: Step[] = []
  sizeBytes = 0
  readonly #rows = new Map<string, UndoneRow[]>()

  push(step: Step): void {
    this.steps.push(step)
    for (const [key, row] of step) this.#added(key, row)
  }

  /** Adds a row to the last step. */
  extend(key: string, row: UndoneRow): void {
    this.steps.at(-1)!.set(key, row)
    this.#added(key, row)
  }

  pop(): Step | undefined {
    const step = this.steps.pop()
    for (const key of step?.keys() ?? []) this.#removed(key, this.#rows.get(key)!.pop()!)
    return step
  }

  dropOldest(): void {
    for (const key of this.steps.shift()?.keys() ?? []) this.#removed(key, this.#rows.get(key)!.shift()!)
  }

  clear(): void {
    this.steps.length = 0
    this.sizeBytes = 0
    this.#rows.clear()
  }

  /** The row in the last step that has it. */
  last(key: string): UndoneRow | undefined {
    return this.#rows.get(key)?.at(-1)
  }

  #added(key: string, row: UndoneRow): void {
    const rows = this.#rows.get(key)
    if (rows === undefined) this.#rows.set(key, [row])
    else rows.push(row)
    this.sizeBytes += sizeOf(key, row)
  }

  #removed(key: string, row: UndoneRow): void {
    this.sizeBytes -= sizeOf(key, row)
    if (this.#rows.get(key)!.length === 0) this.#rows.delete(key)
  }
}

/** Memory of a row beside its bytes. */
const ROW_COST_BYTES = 160

function sizeOf(key: string, { before }: UndoneRow): number {
  return ROW_COST_BYTES + 2 * key.length + (before?.length ?? 0)
}

/** The steps that can be undone and redone, and whether each of their rows still has the state that the step left. */
export class UndoStacks {
  readonly #undo = new Stack()
  readonly #redo = new Stack()
  #sealed = true

  get undoCount(): number {
    return this.#undo.steps.length
  }

  get redoCount(): number {
    return this.#redo.steps.length
  }

  /** Whether a step has the row. */
  has(key: string): boolean {
    return (this.#undo.last(key) ?? this.#redo.last(key)) !== undefined
  }

  /** The next own write begins a step. */
  seal(): void {
    this.#sealed = true
  }

  /** An own write of a row, which had `versionBefore`. What was undone cannot be redone any more. */
  wrote(key: string, before: Uint8Array | undefined, version: string, versionBefore: string | undefined): void {
    this.#redo.clear()
    const known = this.#sealed ? undefined : this.#undo.steps.at(-1)?.get(key)
    if (known !== undefined) {
      // If another peer wrote between, what it wrote is kept: the row cannot be undone further than to that.
      if (known.version === versionBefore) known.version = version
      else this.#begin(key, this.#row(key, before, version, versionBefore))
    } else if (this.#sealed || this.#undo.steps.length === 0)
      this.#begin(key, this.#row(key, before, version, versionBefore))
    else this.#undo.extend(key, this.#row(key, before, version, versionBefore))
    this.#sealed = false
    while (
      this.#undo.steps.length > STEPS_MAX ||
      (this.#undo.sizeBytes > STEPS_MAX_BYTES && this.#undo.steps.length > 1)
    )
      this.#undo.dropOldest()
  }

  /** Takes the last step to undo or to redo. */
  take(direction: 'undo' | 'redo'): Step | undefined {
    this.#sealed = true
    return this.#stack(direction).pop()
  }

  /** Puts back what could not be written. */
  putBack(direction: 'undo' | 'redo', step: Step): void {
    if (step.size > 0) this.#stack(direction).push(step)
  }

  /** A step was undone or redone: `step` takes that back. */
  applied(direction: 'undo' | 'redo', done: Step, step: Step): void {
    if (step.size === 0) return
    for (const [key, { version }] of step) {
      // The row has the state again that the next step in the same direction begins with.
      const next = this.#stack(direction).last(key)
      if (next !== undefined && (direction === 'undo' ? done.get(key)!.follows : next.follows)) next.version = version
    }
    this.#stack(direction === 'undo' ? 'redo' : 'undo').push(step)
  }

  clear(): void {
    this.#undo.clear()
    this.#redo.clear()
    this.#sealed = true
  }

  #begin(key: string, row: UndoneRow): void {
    this.#undo.push(new Map([[key, row]]))
  }

  #row(key: string, before: Uint8Array | undefined, version: string, versionBefore: string | undefined): UndoneRow {
    return { before, version, follows: versionBefore !== undefined && this.#undo.last(key)?.version === versionBefore }
  }

  #stack(direction: 'undo' | 'redo'): Stack {
    return direction === 'undo' ? this.#undo : this.#redo
  }
}
