/** Run by npm in the folder of a package before it packs it. */
import process from 'node:process'
import { prepare } from './package-folder.ts'

await prepare(process.cwd())
