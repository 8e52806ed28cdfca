import fc from 'fast-check'
import { expect, test } from 'vitest'
import { helpText } from './help-text.ts'

const long = (count: number) => Array.from({ length: count }, (_, i) => `word${i}`).join(' ')

test('what is too long goes on where its words began, and takes the next lines of its sentence along', () => {
  const help = `  --one N    short\n             and so\n  --two N    ${long(16)}\n             and more\n  --three    x`
  expect(helpText(help).split('\n')).toEqual([
    '  --one N    short',
    '             and so',
    `  --two N    ${long(14)}`,
    '             word14 word15 and more',
    '  --three    x',
  ])
  expect(helpText(`${long(20)}\nend.\n\nNext.`)).toBe(
    `${long(15)}\n${long(20).slice(long(15).length + 1)} end.\n\nNext.`,
  )
})

test('no line is wider than 100 where a word allows it; no word is lost; what fits is left alone', () => {
  const word = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom('a', 'b', '-', '(') })
  const line = fc.tuple(fc.constantFrom('', '  ', '             '), fc.array(word, { maxLength: 30 }))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const text = lines.map(([indent, words]) => (words.length === 0 ? '' : indent + words.join(' '))).join('\n')
      const fitted = helpText(text)
      for (const one of fitted.split('\n')) expect(one.length).toBeLessThanOrEqual(100)
      expect(fitted.split(/\s+/)).toEqual(text.split(/\s+/))
      if (text.split('\n').every((one) => one.length <= 100)) expect(fitted).toBe(text)
      expect(helpText(fitted)).toBe(fitted)
    }),
  )
})
