/** JSON that a tool printed, checked against what it must be. */
import { accept, refuse, type Result } from '@vxmesh/core'
import { z } from 'zod'

export function decode<Schema extends z.ZodType>(schema: Schema, text: string): Result<z.output<Schema>> {
  let json: unknown
  try {
    json = text.trim() === '' ? [] : JSON.parse(text)
  } catch {
    return refuse('not JSON')
  }
  return checked(schema, json)
}

export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): Result<z.output<Schema>> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return accept(parsed.data)
  const [issue] = parsed.error.issues
  return refuse(issue === undefined ? 'malformed' : `${issue.path.join('.')}: ${issue.message}`)
}

export function parsedBy<Input, Output>(parse: (input: Input) => Result<Output>) {
  return (input: Input, context: z.RefinementCtx): Output => {
    const parsed = parse(input)
    if (parsed.ok) return parsed.value
    context.addIssue({ code: 'custom', message: parsed.reason })
    return z.NEVER
  }
}

export function all<Value>(results: readonly Result<Value>[]): Result<readonly Value[]> {
  const values: Value[] = []
  for (const result of results) {
    if (!result.ok) return result
    values.push(result.value)
  }
  return accept(values)
}
