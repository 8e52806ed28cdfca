import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { limitProcess, memoryOf } from './process-memory.ts'

const MB = 1 << 20

/** A process of our Node that has started, and runs a script after a line on its standard input. */
const startScript = async (script: string) => {
  const waiting = `process.stdin.once('data', () => { ${script} }); console.log('ready')`
  const child = spawn(process.execPath, ['-e', waiting], { stdio: ['pipe', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  return {
    pid: child.pid!,
    /** What it prints, or how it dies. */
    ending: async (): Promise<string> => {
      let printed = ''
      child.stdout.on('data', (text) => {
        printed += text
      })
      child.stdin.end('go\n')
      const [code, signal] = await once(child, 'close')
      return code === 0 ? printed : (signal ?? `code ${code}`)
    },
  }
}

test.runIf(process.platform === 'linux')('the memory of a process is seen from outside', async () => {
  const memory = memoryOf(process.pid)!
  expect(memory.residentBytes).toBeGreaterThan(20 * MB)
  expect(memory.dataBytes).toBeGreaterThan(20 * MB)
  expect(Math.abs(memory.residentBytes - process.memoryUsage.rss())).toBeLessThan(20 * MB)
  const script = await startScript('process.exit()')
  await script.ending()
  expect(memoryOf(script.pid)).toBeNull()
})

test.runIf(process.platform === 'linux')('a process gets the memory it may take, and no more', async () => {
  const allocate = `
    const held = []
    let outcome = 'all'
    try { for (let i = 0; i < 10; i++) held.push(Buffer.alloc(20 << 20, 1)) } catch { outcome = held.length }
    console.log(outcome)`
  const take = async (moreBytes: number): Promise<string> => {
    const script = await startScript(allocate)
    expect(await limitProcess(script.pid, { moreBytes, cpuSeconds: 60 })).toBe(true)
    return (await script.ending()).trim()
  }
  expect(await take(400 * MB)).toBe('all')
  expect(Number(await take(110 * MB))).toBeLessThan(6)
})

test.runIf(process.platform === 'linux')('a process that never ends is ended by the system', async () => {
  const script = await startScript('for (;;);')
  expect(await limitProcess(script.pid, { moreBytes: 400 * MB, cpuSeconds: 1 })).toBe(true)
  expect(await script.ending()).toMatch(/^SIG(KILL|XCPU)$/)
})

test('a process that is gone has no memory and takes no limits', async () => {
  const script = await startScript('process.exit()')
  await script.ending()
  expect(await limitProcess(script.pid, { moreBytes: MB, cpuSeconds: 1 })).toBe(false)
})
