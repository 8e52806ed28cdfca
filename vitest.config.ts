import './shared/platform/preflight.ts'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{edge,cloud-trainer,shared,scripts,test}/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Native sessions and brokers share two cores; forks keep one crash from taking the others with it.
    pool: 'forks',
    maxWorkers: 2,
  },
})
