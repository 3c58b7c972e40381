/** npm runs it in the folder of a package before packing it. */
import process from 'node:process'
import { prepare } from './package-folder.ts'

await prepare(process.cwd())
