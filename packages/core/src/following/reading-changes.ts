/** What has changed in a copy, for members that serve guests. The main entry does without, so that a tab loads it with partitions only. */
export { changesSince, fromStart } from './changes-since.ts'
export { decodeCursor, encodeCursor } from './partition-cursor.ts'
export { commonDots } from '../versions/common-dots.ts'
