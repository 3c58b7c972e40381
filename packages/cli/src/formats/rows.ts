import { csvRows } from './csv/csv-rows.ts'
import type { Format } from './format.ts'
import { jsonRows } from './json/json-rows.ts'
import { ndjsonRows } from './json/ndjson-rows.ts'
import type { Row, RowShape } from './json/row.ts'

/** The rows of a source in one of the formats, read as they are taken. */
export function rowsOf(
  format: Format,
  source: AsyncIterable<Uint8Array>,
  shape: RowShape,
): AsyncGenerator<Row, void, undefined> {
  switch (format) {
    case 'ndjson':
      return ndjsonRows(source, shape)
    case 'json':
      return jsonRows(source, shape)
    case 'csv':
      return csvRows(source, shape)
  }
}
