/** Folders of `test/datasets`: descriptions of real data, which lie beside the project. */
import { join } from 'node:path'

export const describedData = (name: string): string => join(import.meta.dirname, '../datasets', name)
