import { createRequire } from 'node:module'

/** Of this project, as its package says it. */
export const installedVersion = (): string =>
  (createRequire(import.meta.url)('../package.json') as { version: string }).version
