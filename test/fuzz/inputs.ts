/**
 * Inputs that are nearly what a parser expects: samples, changed a little, with their structure in mind. Of protobuf the
 * fields are changed and the lengths around them stay true, of JSON the tree; of anything the bytes.
 */
import type { Dice } from '../sim/dice.ts'

export type Input = Uint8Array<ArrayBuffer>

/** In what form inputs are changed, beside as bytes. */
export type Form = 'protobuf' | 'json' | 'text' | 'bytes'

/** Longer ones are cut: what is at the other end of a wire cannot send more either. */
const INPUT_MOST = 300 * 1024

const ODD_BYTES = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x22, 0x2f, 0x3a]

/** What parsers stumble over: ends of ranges, and texts that mean something to somebody. */
const ODD_NUMBERS = [0, -1, 1, 255, 256, 65_535, 65_536, 16_777_216, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 1e308, 0.5, -0]
const ODD_TEXTS = [
  ...[
    '',
    ' ',
    '\n',
    '\r\n',
    '\0',
    '\u001B[2J',
    '\u007F',
    '\u009B',
    '\u200E',
    '\u202E',
    '\u2028',
    '\u2069',
    '\u061C',
    '\uD800',
    '\uFEFF',
    '\u{1F600}',
  ],
  ...[
    '-rf',
    '--',
    '..',
    '/',
    '\\',
    '"',
    "'",
    '`',
    '$(id)',
    '%s',
    '%00',
    '%',
    '?',
    '#',
    '*',
    '&a',
    '*a',
    '!!js',
    '{',
    '}',
    '[',
    ']',
    ':',
    '- ',
    ': ',
    ', ',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'null',
    'true',
    'NaN',
    'Infinity',
    '0x10',
    '1e9',
    '0',
    '-1',
    '4294967296',
    '99999999999999999999',
  ],
  ...[
    '0.0.0.0',
    '255.255.255.255',
    '127.1',
    '::',
    '::1',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    '10.0.0.1/0',
    '10.0.0.1/33',
    '00:00:00:00:00:00',
    'any',
    'default',
  ],
  ...['12D3KooWD8PZTZrJLUjvJD4jnyGKmrJRgVSuL5sbLeGbZUWJHnpA', 'a'.repeat(64), 'é'.repeat(40), '[['.repeat(40)],
]

/** A sample after a few changes; now and then bytes of no meaning at all. */
export function mutated(form: Form, samples: readonly Input[], dice: Dice): Input {
  if (dice.chance(0.01)) return dice.bytes(dice.below(64))
  let input = dice.pick(samples)
  for (let count = 1 + Math.min(7, Math.floor(dice.exponential(1))); count > 0; count--) input = changed(form, input, samples, dice)
  return input.subarray(0, INPUT_MOST)
}

function changed(form: Form, input: Input, samples: readonly Input[], dice: Dice): Input {
  if (form === 'protobuf' && dice.chance(0.7)) return changedFields(input, samples, dice)
  if (form === 'json' && dice.chance(0.7)) return changedJson(input, samples, dice)
  if (form !== 'bytes' && form !== 'protobuf' && dice.chance(0.7)) return changedText(input, samples, dice)
  return changedBytes(input, samples, dice)
}

/** A stretch of it, as a rule a short one. */
function stretch(length: number, dice: Dice): readonly [from: number, to: number] {
  const from = dice.below(length + 1)
  return [from, Math.min(length, from + Math.floor(dice.exponential(4)))]
}

function joined(...parts: readonly ArrayLike<number>[]): Input {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function changedBytes(input: Input, samples: readonly Input[], dice: Dice): Input {
  const [from, to] = stretch(input.length, dice)
  const [before, middle, behind] = [input.subarray(0, from), input.subarray(from, to), input.subarray(to)]
  switch (dice.below(7)) {
    case 0:
      return joined(
        before,
        middle.map((byte) => byte ^ (1 << dice.below(8))),
        behind,
      )
    case 1:
      return joined(before, behind)
    case 2:
      return joined(before, middle, middle, behind)
    case 3:
      return joined(before, dice.bytes(dice.below(9)), behind)
    case 4:
      return joined(before, [dice.pick(ODD_BYTES)], behind.subarray(1))
    case 5:
      return before
    default:
      return joined(before, dice.pick(samples).subarray(from))
  }
}

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()]

export function bytesOf(text: string): Input {
  return Uint8Array.from(encoder.encode(text))
}

export function textOf(input: Input): string {
  return decoder.decode(input)
}

function changedText(input: Input, samples: readonly Input[], dice: Dice): Input {
  const text = textOf(input)
  // Words are changed as wholes.
  const words = text.split(/(?<=[\s,:{}[\]"/.=-])|(?=[\s,:{}[\]"/.=-])/)
  const at = dice.below(words.length)
  const others = dice.chance(0.2) ? textOf(dice.pick(samples)).split(/(?<=\s)/) : ODD_TEXTS
  switch (dice.below(4)) {
    case 0:
      words.splice(at, 1)
      break
    case 1:
      words.splice(at, 0, dice.pick(others))
      break
    case 2:
      words.splice(at, 1, dice.pick(others))
      break
    default:
      words.splice(at, 0, dice.pick(words))
  }
  return bytesOf(words.join(''))
}

/** One place of a JSON text becomes another thing; one that is no JSON is changed as a text. */
function changedJson(input: Input, samples: readonly Input[], dice: Dice): Input {
  try {
    const tree: unknown = JSON.parse(textOf(input))
    return bytesOf(JSON.stringify(changedNode(tree, dice)) ?? '')
  } catch {
    return changedText(input, samples, dice)
  }
}

function changedNode(node: unknown, dice: Dice): unknown {
  if (dice.chance(0.1)) return oddValue(node, dice)
  if (Array.isArray(node)) {
    const items: readonly unknown[] = node
    const at = dice.below(items.length)
    if (items.length === 0 || dice.chance(0.1)) return [...items, ...items]
    if (dice.chance(0.1)) return items.toSpliced(at, 1)
    return items.with(at, changedNode(items[at], dice))
  }
  if (typeof node !== 'object' || node === null) return oddValue(node, dice)
  const fields: readonly (readonly [string, unknown])[] = Object.entries(node)
  const at = dice.below(fields.length)
  const [name, value] = fields[at] ?? ['', undefined]
  if (fields.length === 0 || dice.chance(0.05)) return { ...node, [dice.pick(ODD_TEXTS)]: oddValue(undefined, dice) }
  if (dice.chance(0.1)) return Object.fromEntries(fields.toSpliced(at, 1))
  if (dice.chance(0.05)) return Object.fromEntries(fields.with(at, [dice.pick(ODD_TEXTS), value]))
  return { ...node, [name]: changedNode(value, dice) }
}

function oddValue(node: unknown, dice: Dice): unknown {
  const odd = [
    null,
    true,
    [],
    {},
    [node],
    { '': node },
    dice.pick(ODD_NUMBERS),
    dice.pick(ODD_TEXTS),
    `${String(node)}${dice.pick(ODD_TEXTS)}`,
  ]
  return dice.pick(odd)
}

type Field = { readonly tag: number; readonly wire: number; readonly value: bigint | Input }

function changedFields(input: Input, samples: readonly Input[], dice: Dice): Input {
  const fields = fieldsOf(input)
  if (fields === undefined || fields.length === 0) return changedBytes(input, samples, dice)
  const at = dice.below(fields.length)
  const field = fields[at]!
  switch (dice.below(8)) {
    case 0:
      return encoded(fields.toSpliced(at, 1))
    case 1:
      return encoded(fields.toSpliced(at, 0, field))
    case 2:
      return encoded(fields.toSpliced(at, 0, ...Array.from({ length: dice.below(2 ** dice.below(9)) }, () => field)))
    case 3:
      return encoded(fields.with(at, dice.pick(fields)))
    case 4:
      return encoded(fields.with(at, { ...field, tag: 1 + dice.below(13) }))
    default:
      return encoded(fields.with(at, { ...field, value: changedValue(field.value, samples, dice) }))
  }
}

function changedValue(value: bigint | Input, samples: readonly Input[], dice: Dice): bigint | Input {
  if (typeof value === 'bigint')
    return dice.chance(0.5) ? BigInt(Math.trunc(Math.abs(dice.pick(ODD_NUMBERS)))) : value ^ (1n << BigInt(dice.below(64)))
  if (dice.chance(0.2)) return bytesOf(dice.pick(ODD_TEXTS))
  return dice.chance(0.6) ? changedFields(value, samples, dice) : changedBytes(value, samples, dice)
}

/** The fields of a protobuf message, if it is one from end to end. */
function fieldsOf(input: Input): readonly Field[] | undefined {
  const fields: Field[] = []
  let at = 0
  const varint = (): bigint | undefined => {
    for (let [value, shift] = [0n, 0n]; at < input.length && shift < 70n; shift += 7n) {
      const byte = input[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    return undefined
  }
  while (at < input.length) {
    const key = varint()
    const number = key === undefined ? undefined : varint()
    if (key === undefined || number === undefined) return undefined
    const [tag, wire] = [Number(key >> 3n), Number(key & 7n)]
    if (tag === 0 || tag > 1000 || (wire !== 0 && wire !== 2)) return undefined
    if (wire === 2 && number > BigInt(input.length - at)) return undefined
    const end = at + (wire === 2 ? Number(number) : 0)
    fields.push({ tag, wire, value: wire === 0 ? number : input.slice(at, end) })
    at = end
  }
  return fields
}

function encoded(fields: readonly Field[]): Input {
  const parts: ArrayLike<number>[] = []
  let length = 0
  for (const { tag, wire, value } of fields) {
    if (length > INPUT_MOST) break
    const head: number[] = []
    putVarint(head, BigInt(tag * 8 + wire))
    putVarint(head, typeof value === 'bigint' ? value : BigInt(value.length))
    parts.push(head)
    if (typeof value !== 'bigint') parts.push(value)
    length += head.length + (typeof value === 'bigint' ? 0 : value.length)
  }
  return joined(...parts)
}

function putVarint(bytes: number[], value: bigint): void {
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  bytes.push(Number(rest))
}
