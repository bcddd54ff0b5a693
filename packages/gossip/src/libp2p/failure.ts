/** Why a dial came to nothing, told from what libp2p throws. */
import type { DialFailure } from '../state.ts'

/** A refusal proves that the host lives; it is looked for in whatever libp2p wrapped the error in. */
export function failureOf(error: unknown): DialFailure {
  if (!(error instanceof Error)) return 'unusable'
  const wrapped: readonly unknown[] = error instanceof AggregateError ? error.errors : [error.cause]
  const inner = wrapped.filter((each) => each instanceof Error)
  if ('code' in error && error.code === 'ECONNREFUSED') return 'refused'
  if (/dial self/i.test(error.message)) return 'self'
  if (inner.length > 0) return worst(inner.map(failureOf))
  const silent =
    ['TimeoutError', 'AbortError'].includes(error.name) ||
    ('code' in error && /^E(HOSTUNREACH|NETUNREACH|TIMEDOUT|HOSTDOWN)$/.test(String(error.code)))
  if (silent) return 'unanswered'
  const local = 'code' in error && /^E(MFILE|NFILE|NOBUFS|NOMEM|ADDRNOTAVAIL|ACCES|PERM)$/.test(String(error.code))
  return local ? 'untried' : 'unusable'
}

/** Of several addresses, the one that proves most. */
export function worst(failures: readonly DialFailure[]): DialFailure {
  const order: readonly DialFailure[] = ['self', 'refused', 'unusable', 'unanswered']
  return order.find((failure) => failures.includes(failure)) ?? 'untried'
}
