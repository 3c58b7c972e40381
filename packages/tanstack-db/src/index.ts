export { gridCollectionOptions } from './grid-collection-options.ts'
export type {
  GridCollectionBase,
  GridCollectionConfig,
  GridCollectionOptions,
  GridCollectionUtils,
} from './grid-collection-options.ts'
export type { KeyOfField, KeyOfRow, RowWithKey } from './row-form.ts'
export type { AnyMap, MapSource } from './collection-sync.ts'
export type { RowMutation } from './write-mutations.ts'
