/** `npm run sim`: the simulator, with documents among what applications use. */
import process from 'node:process'
import { simulateCommand } from '@gossipgrid/testing/sim-command'
import { documentApplications } from './document-application.ts'

process.exitCode = simulateCommand(process.argv.slice(2), documentApplications)
