/** `npm run sim`: the simulator, with the kinds that need the SDK's code among what applications use. */
import process from 'node:process'
import { DropApplication } from '@gossipgrid/testing/simulation'
import { simulateCommand } from '@gossipgrid/testing/sim-command'
import { CountersApplication } from './counters-application.ts'
import { documentApplications } from './document-application.ts'
import { simulateGuestsCommand } from './guests/guest-command.ts'
import { SetsApplication } from './sets-application.ts'

const args = process.argv.slice(2)
process.exitCode = args.includes('--guests')
  ? await simulateGuestsCommand(args.filter((arg) => arg !== '--guests'))
  : simulateCommand(args, {
      document: documentApplications,
      counters: () => [new CountersApplication()],
      sets: () => [new SetsApplication()],
      drops: (ledger) => [new DropApplication(ledger)],
    })
