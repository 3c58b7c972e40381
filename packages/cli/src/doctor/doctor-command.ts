import { Command } from 'commander'
import { collect, examples } from '../commands/options.ts'
import type { DoctorOptions } from './run-doctor.ts'

/** `gossipgrid doctor`. */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Check this machine, and say what to do')
    .option('--data <directory>', 'check the data directory of a peer; nothing in it is changed')
    .option('--listen <address>', 'check that a peer could listen there: PORT, HOST:PORT or a multiaddr', collect)
    .option('--join <address>', 'check that a peer answers there', collect)
    .option('--name <grid>', 'of which grid the peer at --join should be')
    .option('--secret-file <file>', 'the secret of that grid (or GOSSIPGRID_SECRET)')
    .option('--no-mdns', 'do not check discovery on the local network')
    .option('--json', 'machine-readable output; errors become one line of JSON on stderr')
    .action(async (options: DoctorOptions) => {
      const { runDoctor } = await import('./run-doctor.ts')
      await runDoctor(options)
    })
  return examples(command, [
    ['gossipgrid doctor', 'this machine, and the peers that run on it'],
    ['gossipgrid doctor --data ./shop --listen 4001', 'before a peer is started'],
    ['gossipgrid doctor --name shop --secret-file shop.secret --join 192.168.1.7:4001', 'why two peers do not meet'],
  ]).addHelpText('after', '\nExits with 1 if something would keep a peer from working.')
}
