/** npm runs it in the folder of a package after packing it. */
import process from 'node:process'
import { restore } from './package-folder.ts'

await restore(process.cwd())
