/** The owner's keys on disk: made on first use, readable by their owner alone, and the trust file that edges get. */
import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { generatePrivateKey, type Role, type Signer, signerOf, type Trust } from '#shared/bundle/keys.ts'
import { syncFolder, writeFileAtomic } from '#shared/platform/atomic-file.ts'

class KeyFileError extends Error {
  readonly code = 'key-file'
  readonly hint: string
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KeyFileError'
    this.hint = hint
  }
}

export type Keys = {
  readonly release: Signer
  readonly director: Signer
  readonly trust: Trust
  /** Path of the trust file, to be copied to the edges. */
  readonly trustFile: string
}

/** Reads `<folder>/release.pem` and `director.pem`, making what is missing, and writes `trust.json` beside them. */
export const ensureKeys = async (folder: string): Promise<Keys> => {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const release = await ensureKey(folder, 'release')
  const director = await ensureKey(folder, 'director')
  const role = ({ publicKey }: Signer) => ({ keys: [publicKey], threshold: 1 })
  const trust: Trust = { schema: 'trust/1', roles: { release: role(release), director: role(director) } }
  const trustFile = join(folder, 'trust.json')
  await writeFileAtomic(trustFile, `${JSON.stringify(trust, null, 2)}\n`)
  await chmod(trustFile, 0o644)
  return { release, director, trust, trustFile }
}

const ensureKey = async (folder: string, role: Role): Promise<Signer> => {
  const file = join(folder, `${role}.pem`)
  await createOnce(folder, file)
  const { mode } = await stat(file)
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new KeyFileError(`${file} can be read by others`, `chmod 600 ${file}, and think about who has read it`)
  }
  try {
    return signerOf(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new KeyFileError(
      `${file} holds no Ed25519 private key`,
      'restore it from its backup; a new key is not trusted by the edges in the field',
      { cause },
    )
  }
}

/** An existing key is never replaced, not even when two processes start at once. */
const createOnce = async (folder: string, file: string): Promise<void> => {
  try {
    await using handle = await open(file, 'wx', 0o600)
    await handle.writeFile(generatePrivateKey())
    await handle.sync()
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return
    throw cause
  }
  await syncFolder(folder)
}
