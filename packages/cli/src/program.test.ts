import { readFile } from 'node:fs/promises'
import { CommanderError } from 'commander'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { program } from './program.ts'

/** The words of a line as a shell would pass them, up to the first pipe or redirection. */
function wordsOf(line: string): string[] {
  const [typed = ''] = line.split(/\s(?:[|<]|>>?|2>)/)
  return [...typed.matchAll(/'([^']*)'|(\S+)/g)].map((word) => word[1] ?? word[2]!)
}

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part) })
  command.outputHelp()
  return text
}

/** Every line of the help that a user might copy. */
function exampleLines(): string[] {
  const root = program()
  const helps = [root, ...root.commands].map(helpOf)
  return helps.flatMap((help) => [...help.matchAll(/^ {2}\$ (.*?)(?: {2,}.*)?$/gm)].map((match) => match[1]!))
}

async function parses(line: string): Promise<void> {
  const root = program()
  let ran = ''
  root.configureOutput({ writeErr: () => undefined })
  for (const command of root.commands)
    command.configureOutput({ writeErr: () => undefined }).action(() => void (ran = command.name()))
  const [name, ...words] = wordsOf(line)
  expect(name, line).toBe('gossipgrid')
  await root.parseAsync(words, { from: 'user' }).catch((error: unknown) => expect.fail(`${line}: ${String(error)}`))
  expect(ran, line).toBe(words[0])
}

test('every command ends its help with examples', () => {
  const silent = program().commands.filter((command) => !/Examples:\n(.*\n)* {2}\$ gossipgrid/.test(helpOf(command)))
  expect(silent.map((command) => command.name())).toEqual(['help'])
})

test('every example of the help is a valid command line', async () => {
  const lines = exampleLines()
  expect(lines.length).toBeGreaterThan(40)
  for (const line of lines) await parses(line.includes('| gossipgrid') ? line.slice(line.indexOf('gossipgrid')) : line)
})

test('every command line of the documentation is valid', async () => {
  const pages = ['docs/command-line.md', 'docs/running.md', 'README.md']
  const texts = await Promise.all(pages.map((page) => readFile(new URL(`../../../${page}`, import.meta.url), 'utf8')))
  const blocks = texts.flatMap((text) => [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map((block) => block[1]!))
  const lines = blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
  const typed = lines.flatMap((line) => /^(?:sudo |npx )*(gossipgrid .*?)(?: {2,}#.*)?$/.exec(line)?.[1] ?? [])
  expect(typed.length).toBeGreaterThan(12)
  for (const line of typed) await parses(line)
})

test('the commands of the container, the compose file and the systemd unit are valid', async () => {
  const files = ['Dockerfile', 'compose.yaml', 'gossipgrid.service']
  const [image, compose, unit] = (await Promise.all(
    files.map((file) => readFile(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8')),
  )) as [string, string, string]
  const oneLine = compose.replaceAll(/\s+/g, ' ')
  const lists = [...oneLine.matchAll(/ command: \[(.*?)\]/g), ...image.matchAll(/ CMD \["gossipgrid", (.*)\]/g)]
  const lines = lists.map((list) => `gossipgrid ${list[1]!.replaceAll(/["',]/g, ' ')}`)
  const started = /^ExecStart=\S+\/(gossipgrid .*)$/m.exec(unit)![1]!
  lines.push(started.replace('$JOIN', '--join 10.0.0.2:4001').replace('$MORE', '--zone cellar --no-mdns'))
  expect(lines).toHaveLength(5)
  for (const line of lines) await parses(line)
})

test('help fits a terminal of 80 columns, notes below the options aside', () => {
  const root = program()
  for (const command of [root, ...root.commands]) {
    command.configureOutput({ getOutHelpWidth: () => 80 })
    const [options = ''] = helpOf(command).split('\nExamples:')
    expect(options.split('\n').filter((line) => line.length > 80)).toEqual([])
  }
})

test('errors show typed text with escapes for characters that could control the terminal', async () => {
  const hostile = '\u001b[31m\u202e'
  for (const line of [
    [`--${hostile}`],
    [hostile],
    ['set', 'm', 'k', '1', '--ttl', hostile],
    ['complete', hostile],
    ['help', hostile],
  ]) {
    const root = program()
    let output = ''
    for (const command of [root, ...root.commands]) command.configureOutput({ writeErr: (text) => (output += text) })
    await expect(root.parseAsync(line, { from: 'user' })).rejects.toBeInstanceOf(CommanderError)
    expect(output).toContain(String.raw`\u001b[31m\u202e`)
    expect(output).not.toContain('\u001b')
  }
})

test('the error for a misspelt option suggests the right one, also where that one is required', async () => {
  for (const [line, message] of [
    ['peer --nmae shop', 'Did you mean --name?'],
    ['peer --name shop --secret abc', 'give --secret-file FILE'],
    ['set users ada 1 --copies lots', 'from 1 to 64, or all.'],
    ['peer', "required option '--name <grid>' not specified"],
  ] as const) {
    const root = program()
    for (const command of [root, ...root.commands]) command.configureOutput({ writeErr: () => undefined })
    await expect(root.parseAsync(line.split(' '), { from: 'user' })).rejects.toThrow(message)
  }
})

test.each([
  ['--name shop peer', 'gossipgrid peer --name'],
  ['--json members', 'gossipgrid members --json'],
  ['--wide', 'gossipgrid members --wide'],
])('the error for an option before its command says where it belongs: %s', async (line, meant) => {
  const root = program()
  let output = ''
  root.configureOutput({ writeErr: (text) => (output += text) })
  await expect(root.parseAsync(line.split(' '), { from: 'user' })).rejects.toThrow('belongs behind a command')
  expect(output).toContain(meant)
})

test('an option that no command has is unknown', async () => {
  const root = program()
  root.configureOutput({ writeErr: () => undefined })
  await expect(root.parseAsync(['--nowhere', 'peer'], { from: 'user' })).rejects.toThrow("unknown option '--nowhere'")
})

test.each([
  [['exprot', 'users'], 'export'],
  [['help', 'qeury'], 'query'],
])('the error for a misspelt command suggests the right one: %s', async (line, meant) => {
  const root = program()
  let output = ''
  root.configureOutput({ writeErr: (text) => (output += text) })
  await expect(root.parseAsync(line, { from: 'user' })).rejects.toThrow(`Did you mean ${meant}?`)
  expect(output).toContain('Try: gossipgrid --help')
})
