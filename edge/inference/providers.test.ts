import { expect, test } from 'vitest'
import type { Log } from '#shared/platform/log.ts'
import { createModelBundle } from '#test/support/model-bundle.ts'
import { chooseProvider } from './choose-provider.ts'
import { probeProviders } from './providers.ts'

test('the CPU works everywhere, and what does not work says why', async () => {
  const probes = await probeProviders()
  expect(probes.map(({ name }) => name)).toEqual(['cpu', 'cuda', 'webgpu', 'dml', 'coreml'])
  expect(probes[0]).toEqual({ name: 'cpu', usable: true, reason: null })
  for (const { usable, reason } of probes) expect(reason === null).toBe(usable)
  // DirectML exists on Windows alone, CoreML on macOS alone.
  if (process.platform === 'linux') {
    expect(probes.filter(({ name }) => name === 'dml' || name === 'coreml').map(({ usable }) => usable)).toEqual([
      false,
      false,
    ])
  }
})

test('a provider that cannot be had is replaced by the CPU, and the log says so', async () => {
  const warnings: object[] = []
  const ignore = () => {}
  const log: Log = {
    debug: ignore,
    info: ignore,
    warn: (values) => void warnings.push(values),
    error: ignore,
    child: () => log,
  }
  await using bundle = await createModelBundle()
  expect(await chooseProvider(bundle, { wanted: 'cpu', log })).toEqual({ provider: 'cpu', reason: null })
  expect(warnings).toEqual([])
  const absent = process.platform === 'win32' ? 'coreml' : 'dml'
  const choice = await chooseProvider(bundle, { wanted: absent, log })
  expect(choice).toEqual({ provider: 'cpu', reason: expect.stringContaining('backend not found') })
  expect(warnings).toEqual([{ wanted: absent, reason: choice.reason }])
})
