import { expect, test } from 'vitest'
import { withFolder } from '#test/support/data-folder.ts'
import { TAXA_MODALITIES, TAXA_SIZE, type TaxaRow, taxaFiles, taxaValue } from '#test/support/taxabench-files.ts'
import { buildTrainingSet } from './build-set.ts'
import type { DatasetWarning } from './raw-set.ts'
import { readFolder } from './read-folder.ts'

/** 50, 30, 10 and 9 rows of four species, mixed. */
const SPECIES = [0, 1, 2, 0, 3, 0, 1, 0, 1, 0].map((it) => ['Bufo bufo', 'Apus apus', 'Felis', 'Vulpes'][it]!)
const ROWS: readonly TaxaRow[] = Array.from({ length: 100 }, (_, i) => ({
  id: `t-${i}`,
  species: SPECIES[i % 10]!,
})).filter((row, i) => !(row.species === 'Vulpes' && i < 10))

test('TaxaBench: five vectors of 512 are five tokens, the species is the class', async () => {
  const noSound = new Set([1, 6])
  const warnings: DatasetWarning[] = []
  const raw = await withFolder(taxaFiles(ROWS, { noSound }), (folder) =>
    readFolder(folder, { onWarning: (it) => warnings.push(it) }),
  )
  const set = buildTrainingSet(raw)
  const count = (species: string) => ROWS.filter((row) => row.species === species).length
  expect(['Bufo bufo', 'Apus apus', 'Felis', 'Vulpes'].map(count)).toEqual([50, 30, 10, 9])
  expect(warnings).toEqual([
    {
      code: 'unused-rows',
      subject: 'taxon',
      count: 9,
      detail: 'rows of 1 classes with fewer than 10 rows are left out',
    },
  ])
  expect(set.task).toBe('single-label')
  expect(set.labels.map((it) => it.name)).toEqual(['Apus apus', 'Bufo bufo', 'Felis'])
  expect(set.layout.modalities).toEqual(TAXA_MODALITIES)
  expect(set.layout.slots.map((slot) => slot.modality)).toEqual([0, 1, 2, 3, 4])
  expect(set.layout.featureCount).toBe(5 * TAXA_SIZE)

  // 80/10/10 of each class by itself.
  const classes = set.labels.map((it) => it.name)
  for (const [part, share] of [
    ['validation', 0.1],
    ['test', 0.1],
  ] as const) {
    const { ids, labels } = set[part]!
    const counts = classes.map((_, l) => ids.filter((_id, i) => labels[i * classes.length + l] === 1).length)
    expect(counts).toEqual(classes.map((it) => Math.round(share * count(it))))
  }

  const examples = [set.train, set.validation, set.test!]
  expect(examples.reduce((sum, it) => sum + it.ids.length, 0)).toBe(ROWS.length - 9)
  for (const { ids, rows, labels } of examples) {
    for (const [i, id] of ids.entries()) {
      const row = ROWS.findIndex((it) => it.id === id)
      expect([...rows[i]!.hidden]).toEqual([0, 0, noSound.has(row) ? 1 : 0, 0, 0])
      expect(classes.filter((_, l) => labels[i * classes.length + l] === 1)).toEqual([ROWS[row]!.species])
      const example = raw.examples.find((it) => it.id === id)!
      for (const [m, name] of TAXA_MODALITIES.entries()) {
        const content = example.readings.find((it) => it.modality === name)?.content
        const vector = Array.from({ length: TAXA_SIZE }, (_, c) => taxaValue(m, row, c))
        expect(content?.kind === 'embedding' ? content.vector : null).toEqual(
          m === 2 && noSound.has(row) ? null : vector,
        )
      }
    }
  }
})
