import { createInterface } from 'node:readline/promises'
import { parseJson } from '../formats/json/json-fault.ts'
import { textLines } from '../formats/json/lines.ts'
import type { Cluster } from './cluster/cluster.ts'
import { countOf, durationText } from '../terminal/quantities.ts'
import { visibleJson, visibleLines } from '../terminal/visible.ts'
import type { LiveLines, Screen } from './screen/screen.ts'
import { searchable } from './story/search-name.ts'

const COMMANDS: readonly (readonly [usage: string, text: string])[] = [
  ['set <peer> <key> <json>', 'write at one peer'],
  ['get <peer|all> <key>', 'read at one peer, or at all of them'],
  ['delete <peer> <key>', 'delete at one peer'],
  ['split [1,2 3,4,5]', 'cut the network between groups of peers'],
  ['heal', 'end the split'],
  ['kill <peer>', 'SIGKILL its process'],
  ['start <peer>', 'start it again from its disk'],
  ['status', 'what each peer holds'],
  ['join', 'how a peer of your own joins this grid'],
  ['help', 'this list'],
  ['quit', 'end all peers'],
]

const PROMPT = '  > '
const LINE_MAX_BYTES = 1024 * 1024

export interface PlaygroundOptions {
  readonly cluster: Cluster
  readonly screen: Screen
  /** How it shows the peers. */
  readonly lines: LiveLines
  /** An existing key, for the example. */
  readonly exampleKey: string
  /** The address at which a browser joins the grid; undefined when the pages have not been built. */
  readonly pagesUrl: string | undefined
}

/** Lets the user command the peers after the story. */
export class Playground {
  readonly #cluster: Cluster
  readonly #screen: Screen
  readonly #lines: LiveLines
  readonly #exampleKey: string
  readonly #pagesUrl: string | undefined

  constructor(options: PlaygroundOptions) {
    this.#cluster = options.cluster
    this.#screen = options.screen
    this.#lines = options.lines
    this.#exampleKey = options.exampleKey
    this.#pagesUrl = options.pagesUrl
  }

  /** Prints what the user can try. */
  welcome(): void {
    const { bold, dim } = this.#screen.colors
    this.#screen.line()
    this.#screen.line(`  ${bold('Now you.')} ${dim('The peers stay alive until you quit.')}`)
    this.#screen.line()
    if (this.#pagesUrl !== undefined) {
      this.#screen.line(`  ${dim('Open this in a browser, and your tab is a peer as well:')}`)
      this.#screen.line(`    ${this.#pagesUrl}`)
      this.#screen.line()
    }
    this.#screen.line(`  ${dim('Or try here:')}`)
    this.#screen.line()
    for (const example of [
      'split',
      `set 1 ${this.#exampleKey} {"name":"Left"}`,
      `set 5 ${this.#exampleKey} {"name":"Right"}`,
      `get all ${this.#exampleKey}`,
      'heal',
      `get all ${this.#exampleKey}`,
    ]) {
      this.#screen.line(`    ${example}`)
    }
    this.#screen.line()
    const [joining = '', call = ''] = this.#join()
    this.#screen.line(`  ${dim(`${joining}:`)}`)
    this.#screen.line(`    ${call}`)
    this.#screen.line()
    this.#screen.line(`  ${dim('help lists all commands, quit or Ctrl-C ends the demo.')}`)
  }

  /** Runs commands until `quit`, or until the input of a terminal ends. Without a terminal it stays until a signal. */
  async run(input: NodeJS.ReadStream, output: NodeJS.WriteStream, interrupted: Promise<never>): Promise<void> {
    this.#screen.line()
    if (input.isTTY !== true) {
      const lines = textLines(input, LINE_MAX_BYTES)
      const quit = await Promise.race([this.#takeCommands(lines, () => output.write(PROMPT)), interrupted])
      return quit ? undefined : interrupted
    }
    const lines = createInterface({ input, output, prompt: PROMPT, terminal: true, completer: complete })
    // Ctrl-C at a prompt is a key and no signal.
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    try {
      await Promise.race([this.#takeCommands(lines, () => lines.prompt()), interrupted])
    } finally {
      lines.close()
    }
  }

  /** Runs the command of one line. Returns false for `quit`. */
  async obey(line: string): Promise<boolean> {
    const [, command = '', rest = ''] = /^\s*(\S*)\s*(.*?)\s*$/.exec(line) ?? []
    if (command === 'quit' || command === 'exit') return false
    try {
      for (const line of await this.#answer(command, rest)) this.#screen.line(`    ${line}`)
    } catch (error) {
      this.#screen.line(
        `    ${this.#screen.colors.red(visibleLines(error instanceof Error ? error.message : String(error)))}`,
      )
    }
    return true
  }

  /** Resolves to true at `quit`, to false when there are no more lines. */
  async #takeCommands(lines: AsyncIterable<string>, prompt: () => void): Promise<boolean> {
    prompt()
    for await (const line of lines) {
      if (!(await this.obey(line))) return true
      prompt()
    }
    return false
  }

  async #answer(command: string, rest: string): Promise<readonly string[]> {
    switch (command) {
      case '':
        return []
      case 'set':
        return this.#set(rest)
      case 'get':
        return this.#get(rest)
      case 'delete':
        return this.#delete(rest)
      case 'split':
        return this.#split(rest)
      case 'heal':
        await this.#cluster.heal()
        return ['All peers may connect again.', ...this.#status()]
      case 'kill':
        await this.#cluster.kill(peerNumber(rest))
        return [`Peer ${rest} is killed; start ${rest} brings it back from its disk.`]
      case 'start':
        return this.#start(rest)
      case 'status':
        await this.#cluster.refresh()
        return this.#status()
      case 'join':
        return this.#join()
      case 'help':
        return COMMANDS.map(([usage, text]) => `${usage.padEnd(26)}${this.#screen.colors.dim(text)}`)
      default:
        throw new Error(`there is no command ${command}: try help`)
    }
  }

  async #set(rest: string): Promise<readonly string[]> {
    const [, peer = '', key = '', json = ''] = /^(\S+)\s+(\S+)\s+(.+)$/.exec(rest) ?? []
    if (json === '') throw new Error('set <peer> <key> <json>')
    const value = searchable(parsed(json))
    const startMs = performance.now()
    await this.#cluster.ask(peerNumber(peer), 'write', [{ key, value }])
    return [`On the disk of peer ${peer} after ${durationText(performance.now() - startMs)}.`]
  }

  async #delete(rest: string): Promise<readonly string[]> {
    const [peer = '', key = ''] = rest.split(/\s+/)
    await this.#cluster.ask(peerNumber(peer), 'write', [{ key, value: null }])
    return [`Deleted on the disk of peer ${peer}.`]
  }

  async #get(rest: string): Promise<readonly string[]> {
    const [which = '', key = ''] = rest.split(/\s+/)
    if (key === '') throw new Error('get <peer|all> <key>')
    const numbers = which === 'all' ? this.#cluster.running.map(({ number }) => number) : [peerNumber(which)]
    return Promise.all(
      numbers.map(async (number) => {
        const value = await this.#cluster.ask(number, 'read', key)
        return `peer ${number}  ${value === null ? this.#screen.colors.dim('nothing') : visibleJson(JSON.stringify(value))}`
      }),
    )
  }

  async #split(rest: string): Promise<readonly string[]> {
    const text = rest === '' ? '1,2 3,4,5' : rest
    const sides = text.split(/\s+/).map((side) => side.split(',').map(peerNumber))
    const named = sides.flat()
    if (new Set(named).size !== named.length) throw new Error('a peer is on one side only')
    const others = this.#cluster.peers.map(({ number }) => number).filter((number) => !named.includes(number))
    await this.#cluster.split(others.length === 0 ? sides : [...sides, others])
    const split = `Split: peers ${this.#cluster.sides.map((side) => side.join(' ')).join(' | ')}`
    return this.#pagesUrl === undefined
      ? [split]
      : [split, 'An open browser tab connects the sides: the split does not affect it.']
  }

  async #start(rest: string): Promise<readonly string[]> {
    const startMs = performance.now()
    const entries = await this.#cluster.start(peerNumber(rest))
    const tookMs = performance.now() - startMs
    return [
      `Peer ${rest} is back after ${durationText(tookMs)} with ${countOf(entries, 'entry', 'entries')} from its disk.`,
    ]
  }

  #status(): readonly string[] {
    return this.#lines.draw(this.#screen.columns)
  }

  #join(): readonly string[] {
    const addresses = this.#cluster.running[0]?.addresses ?? []
    const address = addresses.find((candidate) => !candidate.includes('/127.'))
    return [
      address === undefined
        ? 'A peer of your own joins, on this machine (elsewhere: --host 0.0.0.0), with'
        : 'A peer of your own, here or on another machine, joins with',
      `openGrid({ name: '${this.#cluster.name}', join: ['${address ?? addresses[0] ?? ''}'] })`,
    ]
  }
}

function peerNumber(text: string): number {
  if (!/^[1-9]$/.test(text)) throw new Error(`'${text}' is not the number of a peer`)
  return Number(text)
}

function parsed(json: string): object {
  let value: unknown
  try {
    value = parseJson(json)
  } catch (error) {
    throw new Error(`the value ${(error as Error).message}`, { cause: error })
  }
  if (typeof value !== 'object' || value === null) throw new Error('a value is an object, as {"name":"Porto"}')
  return value
}

function complete(line: string): [string[], string] {
  const names = COMMANDS.map(([usage]) => usage.split(' ')[0]!)
  return [names.filter((name) => name.startsWith(line)), line]
}
