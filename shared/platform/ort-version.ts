import { createRequire } from 'node:module'

/** Version of the installed ONNX Runtime package, without loading its native code into this process. */
export const installedRuntimeVersion = (): string =>
  (createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }).version
