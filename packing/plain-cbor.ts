import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Plugin } from 'esbuild'
import { usedParts } from './known-parts.ts'
import type { ModuleFacts } from './known-parts.ts'

/**
 * How this project reads with cbor-x: only what `scanCbor` has accepted, with the options of `cbor.ts`. So there is no
 * tag but that of a date, no indefinite length, no record, no stream, and no nested call.
 */
const DECODER: ModuleFacts = {
  constants: {
    'options.keyMap': 'undefined',
    'options._keyMap': 'undefined',
    'options.getStructures': 'undefined',
    'options.getShared': 'undefined',
    'currentDecoder.keyMap': 'undefined',
    'currentDecoder.mapsAsObjects': 'true',
    'currentDecoder.useFloat32 > 2': 'false',
    'currentDecoder.int64AsNumber': 'undefined',
    'currentDecoder.getShared': 'undefined',
    'currentDecoder.copyBuffers': 'true',
    'this instanceof Decoder': 'true',
    'this.structures': 'undefined',
    'this.sharedValues': 'undefined',
    'token >= BUNDLED_STRINGS_ID': 'false',
    'extension.handlesRead': 'undefined',
    'nestedDecodeErrors.has(error)': 'false',
    bundledStrings: 'null',
    packedValues: 'null',
    referenceMap: 'null',
    currentStructures: 'null',
    sequentialMode: 'false',
    restoreMapsAsObject: 'false',
  },
  unused: [
    /^(en|de)codeKeys?\(/,
    /^mapDecode\(/,
    /^decodeMultiple\(/,
    /^if \(src\) \{/,
    /^case 0x1f:/,
    /^try \{\s+new Function\(/,
    /^\(?currentExtensions\[(?!1\])/,
    /^const legacyRecordDefinition\b/,
    /^packedTable\.handlesRead\b/,
    /^currentExtensionRanges\.push\(/,
    /^for \(let i = 0; i < typedArrays\.length/,
    /^const builtinScanTags\b/,
    /^export const _stream\b/,
    /^for \(let i = 0; i < 256; i\+\+\) \{\s+mult10\[/,
    /^let defaultDecoder\b/,
    /^export const decode(Multiple)?\b/,
  ],
}

/**
 * How this project writes with cbor-x: one value, with the options of `cbor.ts`. The code for instances of classes
 * stays.
 */
const ENCODER: ModuleFacts = {
  constants: {
    'options.structures': 'undefined',
    'options.saveStructures': 'undefined',
    'options.maxSharedStructures': '0',
    'options.sequential': 'undefined',
    'options.sharedValues': 'undefined',
    'options.pack': 'undefined',
    'this.saveStructures': 'undefined',
    'this.structures': '[]',
    'encodeOptions === REUSE_BUFFER_MODE': 'false',
    'encodeOptions & REUSE_BUFFER_MODE': '0',
    'encodeOptions & RESET_BUFFER_MODE': '0',
    'encoder.useSelfDescribedHeader': 'undefined',
    'encoder.bundleStrings': 'undefined',
    'encoder.structuredClone': 'undefined',
    'encoder.keyMap': 'undefined',
    'encoder.structures': 'undefined',
    'this.useRecords': 'false',
    'this.variableMapSize': 'true',
    'this.alwaysUseFloat': 'undefined',
    '(useFloat32 = this.useFloat32) > 0': 'false',
    'this.skipFunction': 'undefined',
    'this.tagUint8Array': 'false',
    'this.useToJSON': 'undefined',
    'this.largeBigIntToFloat': 'undefined',
    sharedStructures: 'null',
    hasSharedUpdate: 'false',
    packedObjectMap: 'null',
    referenceMap: 'null',
    bundledStrings: 'null',
    throwOnIterable: '0',
  },
  unused: [
    /^this\.mapEncode = /,
    /^this\.findCommonStringsToPack = /,
    /^this\.encodeAs(Async)?Iterable = /,
    /^(async )?function\* \w+/,
    /^function (restart|start)Encoding\(/,
    /^(useBuffer|clearSharedData|updateSharedData)\(/,
    /^let defaultEncoder\b/,
    /^export const encode(As\w+)?\b/,
    /^export const \{ NEVER/,
  ],
}

/**
 * cbor-x without code generation, built from the same sources as its own build without it. Unused parts are left out.
 */
export const plainCbor: Plugin = {
  name: 'plain-cbor',
  setup: ({ onLoad, onResolve, resolve }) => {
    onResolve({ filter: /^cbor-x\/index-no-eval$/ }, async ({ path, kind, resolveDir }) => {
      const { path: built } = await resolve(`${path.split('/')[0]}/package.json`, { kind, resolveDir })
      return { path: join(dirname(built), 'encode.js'), sideEffects: false, namespace: 'file' }
    })
    onLoad({ filter: /\/cbor-x\/encode\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const used = usedParts(path, text, ENCODER)
      return { contents: `${used}\nexport { Decoder } from './decode.js'`, resolveDir: dirname(path) }
    })
    onLoad({ filter: /\/cbor-x\/decode\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      return { contents: usedParts(path, text, DECODER), resolveDir: dirname(path) }
    })
  },
}
