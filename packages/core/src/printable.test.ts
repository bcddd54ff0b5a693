import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { MeshError } from './errors.ts'
import { printable, printableJson, printableLines } from './printable.ts'

/** All that may never be shown, by its number: C0, DEL and C1, then what turns text around, then what ends lines and is not seen. */
const forbidden = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, offset) => 0x7f + offset),
  ...[0x06_1c, 0x20_0e, 0x20_0f, 0x20_2a, 0x20_2b, 0x20_2c, 0x20_2d, 0x20_2e, 0x20_66, 0x20_67, 0x20_68, 0x20_69],
  ...[0x20_28, 0x20_29, 0x20_0b, 0xfe_ff],
]
const hostile = fc.string({
  unit: fc.oneof(fc.constantFrom(...forbidden.map((code) => String.fromCodePoint(code))), fc.string({ unit: 'binary', maxLength: 1 })),
})

function found(text: string): readonly number[] {
  return forbidden.filter((code) => text.includes(String.fromCodePoint(code)))
}

test.each([
  ['what people write', 'höst-00 → ok, 日本', 'höst-00 → ok, 日本'],
  ['an escape sequence', '\u001B[31mred', '\\u{1b}[31mred'],
  ['a bell, a null and a delete', '\u0007\0\u007F', '\\u{7}\\u{0}\\u{7f}'],
  ['the eight-bit escape of some terminals', '\u009B31m', '\\u{9b}31m'],
  ['what turns a line around', '\u202Eabc\u2066', '\\u{202e}abc\\u{2066}'],
  ['what cannot be seen', '\u200B\u2028\uFEFF\u{E0041}', '\\u{200b}\\u{2028}\\u{feff}\\u{e0041}'],
])('%s is printed as %s', (_name, text, printed) => {
  expect(printable(text)).toBe(printed)
})

test('letters of all languages stay as they are', () => {
  expect(printable('añb 日本 עברית 😀 \\ "')).toBe('añb 日本 עברית 😀 \\ "')
})

test('nothing forbidden is left of any text, and what is printable stays so', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      expect(found(printable(text))).toEqual([])
      expect(printable(printable(text))).toBe(printable(text))
      expect(printableLines(`${text}\n${text}`).split('\n').flatMap(found)).toEqual([])
    }),
  )
})

test('nor in JSON, in its names and once it was read', () => {
  fc.assert(
    fc.property(hostile, hostile, (name, text) => {
      const said = printableJson({ [name]: [text, { deep: text }], list: [1, null, true] })
      const read: unknown = JSON.parse(said)
      expect(found(said)).toEqual([])
      expect(read).toEqual({ [printable(name)]: [printable(text), { deep: printable(text) }], list: [1, null, true] })
    }),
  )
})

test('JSON has lines where they are asked for', () => {
  expect(printableJson({ a: 'x\ny' }, 2)).toBe('{\n  "a": "x\\\\u{a}y"\n}')
})

test('nor in what an error says, whatever it quotes', () => {
  fc.assert(
    fc.property(hostile, hostile, (where, reason) => {
      const { message } = new MeshError({ code: 'CONFIG_INVALID', where, reason })
      expect(message).toBe(`${printable(where)}: ${printable(reason)}`)
    }),
  )
})
