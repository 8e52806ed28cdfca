/** Files of named arrays, whatever their format: .npy, .npz, .safetensors, and PyTorch's .pt or .pth. */
import { DatasetError } from '../dataset-error.ts'
import { readBytes } from '../folder-files.ts'
import type { NumericValues } from './elements.ts'
import { parseNpy } from './npy.ts'
import { parseSafetensors } from './safetensors.ts'
import { parseTorch } from './torch.ts'
import { openZip } from './zip.ts'

export type LoadedArray = {
  readonly shape: readonly number[]
  /** In C order. Texts occur in .npy and .npz only. */
  readonly values: NumericValues | readonly string[]
}

/** The array of a file that has just one, without a name, is called ''. */
export type ArrayFile = {
  readonly names: readonly string[]
  /** Decodes anew at each call. Throws DatasetError. */
  readonly read: (name: string) => LoadedArray
}

/** Names as the file spells them; two may be the same. */
export type NamedArrays = Iterable<readonly [name: string, load: () => LoadedArray]>

export const readArrayFile = async (folder: string, file: string): Promise<ArrayFile> =>
  parseArrayFile(await readBytes(folder, file), file)

/** The ending of `file` tells the format. Executes nothing, whatever the bytes are. */
export const parseArrayFile = (bytes: Uint8Array, file: string): ArrayFile => {
  const ending = /\.[^./\\]*$/.exec(file)?.[0]?.toLowerCase()
  switch (ending) {
    case '.npy':
      return ofArrays([['', () => parseNpy(bytes, file)]], file)
    case '.npz':
      return npz(bytes, file)
    case '.safetensors':
      return ofArrays(parseSafetensors(bytes, file), file)
    case '.pt':
    case '.pth':
      return ofArrays(parseTorch(bytes, file), file)
    default:
      throw new DatasetError('bad-array', 'not a name of an array file (.npy, .npz, .safetensors, .pt, .pth)', { file })
  }
}

const npz = (bytes: Uint8Array, file: string): ArrayFile => {
  const { names, read } = openZip(bytes, file)
  const arrays = names.map((member) => {
    const parse = () => parseNpy(read(member), `${file}/${member}`)
    return [member.replace(/\.npy$/, ''), parse] as const
  })
  return ofArrays(arrays, file)
}

const ofArrays = (named: NamedArrays, file: string): ArrayFile => {
  const arrays = new Map<string, () => LoadedArray>()
  for (const [name, load] of named) {
    if (arrays.has(name)) throw new DatasetError('bad-array', `two arrays are called "${name}"`, { file })
    arrays.set(name, load)
  }
  return {
    names: [...arrays.keys()],
    read: (name) => {
      const load = arrays.get(name)
      if (load !== undefined) return load()
      const known = [...arrays.keys()].slice(0, 20).map((it) => `"${it}"`)
      throw new DatasetError('missing-column', `no array "${name}"; there is ${known.join(', ') || 'none'}`, { file })
    },
  }
}
