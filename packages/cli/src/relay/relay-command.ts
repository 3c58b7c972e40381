import { Command } from 'commander'
import { collect, examples } from '../commands/options.ts'
import type { RelayCommandOptions } from './run-relay.ts'

/** `gossipgrid relay`. Its code is loaded only when it runs. */
export function relayCommand(): Command {
  const command = new Command('relay')
    .description('Run a relay, where browser tabs find each other; it stores no data')
    .option('--listen <address>', 'PORT, HOST:PORT or a multiaddr; may be repeated (default: a free port)', collect)
    .option('--announce <address>', 'a multiaddr to announce instead; may be repeated', collect)
    .option('--identity <file>', 'keeps its key, and so its address, over restarts; created if it does not exist')
    .option('--tls-cert <file>', 'certificate with its chain (PEM), for tabs of https pages')
    .option('--tls-key <file>', 'its key (PEM)')
    .option('--json', 'when it runs, print one line of JSON with its addresses on stdout')
    .action(async (options: RelayCommandOptions) => {
      const { runRelay } = await import('./run-relay.ts')
      await runRelay(options)
    })
  return examples(command, [
    ['gossipgrid relay --listen 4002 --identity ./relay.key', 'for pages on this machine, or behind a proxy'],
    [
      'gossipgrid relay --listen 443 --tls-cert ./fullchain.pem --tls-key ./privkey.pem --identity ./relay.key --announce /dns4/relay.example.org/tcp/443/tls/ws',
      'for https pages anywhere',
    ],
  ])
}
