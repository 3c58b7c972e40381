import './node-version.ts'
/** Backups of a whole grid, on servers. `gossipgrid backup` and `restore` use it. */
export { backupBlobs, backupOrigin } from './backup/backup.ts'
export type { BackupOrigin } from './backup/backup.ts'
export { restoreBlobs } from './backup/restore.ts'
export { IMAGE_FORMAT } from '@gossipgrid/core'
