import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')

/** Files that git tracks or would track, relative to the root. */
const projectFiles = (): readonly string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)))

export const sourceFiles = (): readonly string[] => projectFiles().filter((file) => file.endsWith('.ts'))

export const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

const SPECIFIER =
  /^\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|new URL\(\s*['"](\.{1,2}\/[^'"]+\.ts)['"]/gm

export const importsOf = (text: string): readonly string[] =>
  [...text.matchAll(SPECIFIER)].map((match) => match[1] ?? match[2] ?? match[3]!)

const ALIASES: Readonly<Record<string, string>> = {
  '#shared/': 'shared/',
  '#edge/': 'edge/',
  '#cloud/': 'cloud-trainer/',
  '#test/': 'test/',
}

/** Project file that a specifier names, or null for packages and built-ins. */
export const resolveImport = (importer: string, specifier: string): string | null => {
  for (const [alias, folder] of Object.entries(ALIASES)) {
    if (specifier.startsWith(alias)) return folder + specifier.slice(alias.length)
  }
  return specifier.startsWith('.') ? normalize(join(dirname(importer), specifier)) : null
}

/** "mqtt" of "mqtt/build/x", "@a/b" of "@a/b/c"; null for built-ins. */
export const packageOf = (specifier: string): string | null => {
  if (specifier.startsWith('node:') || specifier.startsWith('.') || specifier.startsWith('#')) return null
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? `${parts[0]}/${parts[1]}` : parts[0]!
}
