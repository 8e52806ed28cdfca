/**
 * Files in the form of TaxaBench-8k as embedded by TaxaBind (Sastry et al. 2025): a table of rows with a species, and
 * for each of five modalities a vector of 512 from its encoder. The five files show the five ways that such vectors come.
 */
import { randomStream } from '#shared/std/random.ts'
import { npyBytes, npyHeader, type StoredArray, safetensorsBytes, torchBytes, zipBytes } from './array-files.ts'
import type { Files } from './data-folder.ts'

export const TAXA_MODALITIES = ['ground', 'satellite', 'audio', 'environment', 'location'] as const
export const TAXA_SIZE = 512

export type TaxaRow = { readonly id: string; readonly species: string }

/** Component of a row's vector; a half holds it exactly. */
export const taxaValue = (modality: number, row: number, component: number): number =>
  modality + 1 + ((row + component) % 64) / 64

const vectorOf = (modality: number, row: number): readonly number[] =>
  Array.from({ length: TAXA_SIZE }, (_, component) => taxaValue(modality, row, component))

const stack = (type: StoredArray['type'], modality: number, rows: readonly number[]): StoredArray => ({
  type,
  shape: [rows.length, TAXA_SIZE],
  values: rows.flatMap((row) => vectorOf(modality, row)),
})

/** `noSound`: rows without audio, which the file of that modality leaves out. */
export const taxaFiles = (rows: readonly TaxaRow[], { noSound }: { readonly noSound: ReadonlySet<number> }): Files => {
  const all = [...rows.keys()]
  const heard = randomStream(1, 'sounds').shuffle(all.filter((row) => !noSound.has(row)))
  const width = Math.max(...rows.map(({ id }) => id.length))
  const ids = heard.map((row) => rows[row]!.id.padEnd(width, '\0')).join('')
  const idHeader = `{'descr': '|S${width}', 'fortran_order': False, 'shape': (${heard.length},), }`
  const satellite = stack('f4', 1, all)
  return {
    'dataset.json': JSON.stringify(DESCRIPTION),
    'rows.csv': ['uuid,taxon', ...rows.map(({ id, species }) => `${id},${species}`)].join('\n'),
    'ground.npy': npyBytes(stack('f2', 0, all)),
    'satellite.safetensors': safetensorsBytes({ image: satellite }),
    'audio.npz': zipBytes(
      {
        'vectors.npy': npyBytes(stack('f4', 2, heard)),
        'ids.npy': Buffer.concat([npyHeader(idHeader), Buffer.from(ids)]),
      },
      { deflate: true },
    ),
    'environment.pt': torchBytes(stack('f4', 3, all)),
    ...Object.fromEntries(
      all.map((row) => [
        `location/${rows[row]!.id}.pt`,
        torchBytes({ type: 'f4', shape: [TAXA_SIZE], values: vectorOf(4, row) }),
      ]),
    ),
  }
}

const embedding = (name: string, encoder: string, vectors: object) => ({
  kind: 'embedding',
  name,
  encoder,
  size: TAXA_SIZE,
  vectors,
})

const DESCRIPTION = {
  schema: 'dataset/1',
  table: 'rows.csv',
  id: 'uuid',
  split: { random: { shares: { train: 0.8, validation: 0.1, test: 0.1 }, seed: 1 } },
  labels: { class: 'taxon', atLeast: 10 },
  modalities: [
    embedding('ground', 'bioclip', { file: 'ground.npy' }),
    embedding('satellite', 'clip-vit-b16', { file: 'satellite.safetensors', array: 'image' }),
    embedding('audio', 'clap-htsat-fused', { file: 'audio.npz', array: 'vectors', ids: 'ids' }),
    embedding('environment', 'taxabind-environment', { file: 'environment.pt' }),
    embedding('location', 'taxabind-location', { path: 'location/{uuid}.pt' }),
  ],
}
