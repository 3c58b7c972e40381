/** Run by npm in the folder of a package when it has packed it. */
import process from 'node:process'
import { restore } from './package-folder.ts'

await restore(process.cwd())
