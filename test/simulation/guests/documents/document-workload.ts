import type { GridDocument } from '../../../../packages/grid/src/documents/opened/grid-document.ts'
import type { Grid } from '../../../../packages/grid/src/grid.ts'
import type { DocGrant } from '../../../../packages/grid/src/guests/grants.ts'
import type { Random } from '../../../../packages/testing/src/random.ts'
import type { GuestWorld } from '../guest-workload.ts'
import { Rounds } from '../rounds.ts'
import { shownTexts } from './document-oracle.ts'

const SUBJECTS = ['ada', 'ben', 'cy'] as const

/** What grids load with the first document. To be called before virtual time begins: files take real time. */
export async function loadDocuments(): Promise<void> {
  await Promise.all([
    import('../../../../packages/grid/src/documents/opened/open-documents.ts'),
    import('../../../../packages/grid/src/documents/opened/successions.ts'),
    import('../../../../packages/grid/src/documents/generations/generations.ts'),
  ])
}

/** What a subject may do with documents in a simulation. */
export function documentGrants(subject: string): readonly DocGrant[] {
  return [
    { doc: `${subject}/`, may: 'write' },
    { doc: 'shared/', may: 'write' },
  ]
}

/** Guests and members type into documents, and delete of what is there. Some documents stay open for a while, at guests that lose their members meanwhile. */
export class DocumentWorkload {
  readonly #world: GuestWorld
  readonly #rounds: Rounds
  #count = 0

  constructor(world: GuestWorld) {
    this.#world = world
    this.#rounds = new Rounds(world)
  }

  start(): void {
    this.#rounds.begin(() => this.#edit(), 800)
  }

  end(): void {
    this.#rounds.end()
  }

  #edit(): void {
    const { guests, members, random } = this.#world
    this.#count += 1
    const name = `${random.chance(0.5) ? 'shared' : random.pick(SUBJECTS)}/${random.between(1, 2)}`
    const isMember = random.chance(0.3)
    const member = random.pick(members)
    const guest = random.pick(guests)
    const grid = isMember ? member.grid : guest.grid
    const isBad = !isMember && random.chance(0.1)
    const openMs = random.chance(0.3) ? random.between(200, 3000) : 0
    const edits = random.fork(`edits ${this.#count}`)
    if (grid === undefined) return
    void this.#type(grid, isMember ? undefined : guest.index, name, edits, { isBad, openMs }).catch(() => undefined)
  }

  async #type(
    grid: Grid,
    guest: number | undefined,
    name: string,
    random: Random,
    { isBad, openMs }: { readonly isBad: boolean; readonly openMs: number },
  ): Promise<void> {
    const count = this.#count
    const document = await grid.doc(name)
    try {
      for (let i = 0; i < (openMs === 0 ? 1 : 3); i++) {
        if (i > 0) await this.#later(openMs / 2)
        if (document.endedBy !== undefined) return
        await this.#insert(document, guest, `[${isBad && i === 0 ? 'bad ' : ''}${guest ?? 'm'} #${count}x${i}]`, random)
      }
    } finally {
      await document.close()
    }
  }

  async #insert(document: GridDocument, guest: number | undefined, text: string, random: Random): Promise<void> {
    const { oracle } = this.#world
    const body = document.y.getText('body')
    const texts = shownTexts(body.toJSON())
    const [first] = texts
    const isDelete = first !== undefined && random.chance(0.1)
    const typed = oracle.documents.typed(guest, document.name, text)
    if (isDelete) oracle.documents.deletes(first)
    // What is typed into a text of another one would cut it in two.
    const before = random.chance(0.5) ? 0 : random.below(texts.length + 1)
    const at = random.chance(0.5) ? body.length : texts.slice(0, before).join('').length
    document.y.transact(() => {
      body.insert(at, text)
      const from = body.toJSON().indexOf(first ?? text)
      if (isDelete) body.delete(from, first.length)
    })
    await document.flush()
    typed.isStored = true
  }

  #later(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#world.time.timer(resolve, delayMs))
  }
}
