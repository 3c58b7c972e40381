import { Command, InvalidArgumentError, Option } from 'commander'
import { collect, countParser, examples } from '../commands/options.ts'
import { LOG_FORMATS, LOG_LEVELS } from './peer-log.ts'
import type { PeerOptions } from './run-peer.ts'

/** `gossipgrid peer`. Its code is loaded only when it runs: that takes a second. */
export function peerCommand(): Command {
  const command = new Command('peer')
    .description('Run a peer of a grid until a signal ends it')
    .option('--name <grid>', 'the grid: peers of one name (and one secret) find each other')
    .option('--secret-file <file>', 'makes the grid private; see `gossipgrid secret` (or GOSSIPGRID_SECRET)')
    .addOption(new Option('--secret <text>').hideHelp().argParser(refuseSecret))
    .option('--open', 'no secret, and anybody who knows the name may join, read and change it')
    .option('--data <directory>', 'where to keep the data; without it, in memory only')
    .option('--listen <address>', 'PORT, HOST:PORT (tabs: the next port) or a multiaddr; may be repeated', collect)
    .option('--announce <address>', 'a multiaddr to announce instead; may be repeated', collect)
    .option('--tls-cert <file>', 'certificate with its chain (PEM), for listening on .../tls/ws')
    .option('--tls-key <file>', 'its key (PEM)')
    .option('--join <address>', 'HOST:PORT, PORT or an address that a peer has printed; may be repeated', collect)
    .option(
      '--guests <address>',
      'serve guests, which hold a pass, on PORT, HOST:PORT or a multiaddr; may be repeated',
      collect,
    )
    .option('--announce-guests <address>', 'a multiaddr for guests to join by instead; may be repeated', collect)
    .addOption(
      new Option('--guests-max <count>', 'guests at a time (default: 1000)').argParser(countParser(1, 100_000)),
    )
    .option('--metrics <address>', 'serve Prometheus metrics and health on [HOST:]PORT (host: 127.0.0.1)')
    .option('--no-mdns', 'do not look for peers on the local network')
    .option('--zone <name>', 'failure domain, such as a rack or a site')
    .addOption(new Option('--weight <number>', 'relative capacity, 0 to 1000; above 16, as 16').argParser(parseWeight))
    .addOption(new Option('--role <role>', 'whether it keeps data for others').choices(['storage', 'light']))
    .option('--socket <path>', 'where commands reach it (default: in your runtime directory)')
    .addOption(new Option('--log-level <level>', 'logs on stderr').choices(LOG_LEVELS).default('info'))
    .addOption(new Option('--log-format <format>', 'of the logs').choices(LOG_FORMATS).default('text'))
    .option('--json', 'when it runs, print one line of JSON with its addresses on stdout')
    .action(async ({ name, ...options }: Partial<PeerOptions>) => {
      // Not left to commander, which would not suggest `--name` for `--nmae`.
      if (name === undefined) command.error("error: required option '--name <grid>' not specified")
      const { runPeer } = await import('./run-peer.ts')
      await runPeer({ ...options, name } as PeerOptions)
    })
  return examples(command, [
    ['gossipgrid peer --name shop', 'in memory, for this machine: no secret, not --open'],
    [
      'gossipgrid peer --name shop --secret-file shop.secret --data ./shop --listen 4001',
      'private, on disk, on a fixed port',
    ],
    [
      'gossipgrid peer --name shop --secret-file shop.secret --data ./shop --join 192.168.1.7:4001',
      'joins a peer elsewhere',
    ],
    [
      'gossipgrid peer --name shop --secret-file shop.secret --data ./shop --metrics 9464 --log-format json',
      'for a service',
    ],
    [
      'gossipgrid peer --name shop --secret-file shop.secret --data ./shop --guests 4443',
      'serves guests; see gossipgrid pass',
    ],
    ['gossipgrid peer --name news --open --listen 4001', 'for anybody who knows the name'],
  ]).addHelpText(
    'after',
    `
Browser tabs join by WebSockets: --listen 4001 listens for them on 4002, or on the first free port after it. Without --listen,
ports are free ones.
SIGTERM or Ctrl-C closes it: writes under way become durable, and the others get a goodbye. A second one ends it at once.
A secret file holds one secret a line: the present one first, and the former one while you change it.`,
  )
}

function parseWeight(text: string): number {
  const weight = Number(text)
  if (text.trim() !== '' && weight >= 0 && weight <= 1000) return weight
  throw new InvalidArgumentError('It is a number from 0 to 1000.')
}

/** Every user of the machine sees what is typed. */
function refuseSecret(): never {
  throw new InvalidArgumentError(
    'Put the secret into a file, and give --secret-file FILE: every user sees what is typed.',
  )
}
