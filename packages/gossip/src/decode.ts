import { accept, refuse, type Bytes, type Result } from '@vxmesh/core'

/** How many elements of each repeated field a decoder takes before it gives up; `field$` holds those of its elements' own fields. */
type Limits = { readonly [field: string]: number | Limits }

type Codec<Message> = { decode(bytes: Uint8Array, options?: { limits?: Limits }): Message }

/** Decodes a protobuf message that somebody else wrote: malformed or over its limits, it is refused, whatever the codec throws. */
export function decode<Message>(codec: Codec<Message>, bytes: Bytes, limits: Limits = {}): Result<Message> {
  try {
    return accept(codec.decode(bytes, { limits }))
  } catch (error) {
    return refuse(error instanceof Error ? error.message : 'malformed')
  }
}

/** Every one of a list parsed, or the first refusal. */
export function all<Raw, Value>(raw: readonly Raw[], parse: (each: Raw) => Result<Value>): Result<readonly Value[]> {
  const values: Value[] = []
  for (const each of raw) {
    const parsed = parse(each)
    if (!parsed.ok) return parsed
    values.push(parsed.value)
  }
  return accept(values)
}
