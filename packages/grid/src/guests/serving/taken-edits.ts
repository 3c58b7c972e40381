import { GridError } from '@gossipgrid/core'
import type { Pump } from '../../runtime/write-path.ts'
import { GUEST_BEHIND_MAX_MS, GUEST_LACKING_MAX_MS } from '../guest-limits.ts'
import type { GuestWrite } from '../messages.ts'
import type { PassContent } from '../pass-text.ts'
import { isAuthorized } from './authorization.ts'
import type { Authorization } from './authorization.ts'
import type { Answer } from './taken-writes.ts'
import { DocumentEdits } from '../documents/document-edits.ts'
import type { EarlierEdits } from '../documents/document-edits.ts'

/** How often a member looks whether it has by now what an edit refers to. */
const LOOK_MS = 50
/** Edits that refer to what this member lacks, and that it remembers. */
const LACKING_MAX = 1000

export interface TakenEditsDeps extends Authorization {
  readonly pump: Pump
  readonly authors: { of(subject: string, guest: string): Promise<readonly string[]> }
}

/** Decides about the edits of documents that guests send. */
export class TakenEdits {
  readonly #deps: TakenEditsDeps
  /** Made for the first edit: most guests have no documents. */
  #made: DocumentEdits | undefined
  /** Since when this member was asked to take an edit that refers to what it lacks, in monotonic milliseconds. */
  readonly #lackingSinceMs = new Map<string, number>()

  constructor(deps: TakenEditsDeps) {
    this.#deps = deps
  }

  /** Under whom a guest edits documents. */
  async authorOf(subject: string, guest: string): Promise<string> {
    const [author] = await this.#deps.authors.of(subject, guest)
    return author!
  }

  /** Returns an error if this member can neither take the edit nor refuse it: the guest has to ask another one, or later. */
  async judge(pass: PassContent, guest: string, write: GuestWrite, earlier: EarlierEdits): Promise<Answer | GridError> {
    const authors = await this.#deps.authors.of(pass.subject, guest)
    const untilMs = performance.now() + GUEST_BEHIND_MAX_MS
    let judged = this.#edits.judge(pass, authors, write, earlier)
    while (judged === 'behind' && performance.now() < untilMs && !this.#deps.pump.closed) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      judged = this.#edits.judge(pass, authors, write, earlier)
    }
    if (judged === 'behind') return this.#lacking(pass, guest, write)
    if (judged.code !== '') return judged
    if (!(await this.#isAllowed(pass, write))) return { code: 'FORBIDDEN', text: 'the pass does not allow this edit' }
    this.#edits.accept(write, earlier)
    return judged
  }

  get #edits(): DocumentEdits {
    this.#made ??= new DocumentEdits(this.#deps.pump)
    return this.#made
  }

  #lacking({ subject }: PassContent, guest: string, { number }: GuestWrite): Answer | GridError {
    const edit = `${guest} ${number} ${subject}`
    const nowMs = performance.now()
    const sinceMs = this.#lackingSinceMs.get(edit) ?? nowMs
    this.#lackingSinceMs.delete(edit)
    if (nowMs - sinceMs > GUEST_LACKING_MAX_MS)
      return { code: 'DOCUMENT_FOREIGN', text: 'the edit refers to what no member has' }
    this.#lackingSinceMs.set(edit, sinceMs)
    if (this.#lackingSinceMs.size > LACKING_MAX) this.#lackingSinceMs.delete(this.#lackingSinceMs.keys().next().value!)
    return new GridError('NETWORK_NOT_CONNECTED', 'this member lacks what an edit refers to')
  }

  async #isAllowed(pass: PassContent, write: GuestWrite): Promise<boolean> {
    const { document: doc, update: value } = this.#edits.editOf(write)
    if (value === undefined) return true
    return isAuthorized(this.#deps, pass, { map: '', doc, key: doc, field: undefined, value, previous: undefined })
  }
}
