import { printable } from './printable.ts'

/** Everything that can fail outside the process, one variant a cause. */
export type Failure =
  | { readonly code: 'USAGE'; readonly reason: string }
  | { readonly code: 'CONFIG_INVALID'; readonly where: string; readonly reason: string }
  | { readonly code: 'NOT_PERMITTED'; readonly reason: string }
  | { readonly code: 'ALREADY_RUNNING'; readonly reason: string }
  | { readonly code: 'UNFINISHED'; readonly reason: string }
  | { readonly code: 'NO_DAEMON'; readonly control: string; readonly reason: string }
  | { readonly code: 'KERNEL_REFUSED'; readonly command: string; readonly reason: string }
  | { readonly code: 'KERNEL_UNREADABLE'; readonly what: string; readonly reason: string }

/**
 * The only error class this project throws, for what the world outside the process did wrong.
 * Its message is one line that can be shown anywhere, whatever it quotes.
 * A refusal that is part of normal life is a `Result`; a bug is an `Error` from `unreachable` and ends the process.
 */
export class MeshError extends Error {
  override readonly name = 'MeshError'
  readonly failure: Failure

  constructor(failure: Failure, options?: ErrorOptions) {
    super(printable(sentence(failure)), options)
    this.failure = failure
  }
}

function sentence(failure: Failure): string {
  switch (failure.code) {
    case 'USAGE':
    case 'NOT_PERMITTED':
    case 'ALREADY_RUNNING':
    case 'UNFINISHED':
      return failure.reason
    case 'CONFIG_INVALID':
      return `${failure.where}: ${failure.reason}`
    case 'NO_DAEMON':
      return `no daemon answers at ${failure.control}: ${failure.reason}`
    case 'KERNEL_REFUSED':
      return `the kernel refused "${failure.command}": ${failure.reason}`
    case 'KERNEL_UNREADABLE':
      return `cannot read ${failure.what}: ${failure.reason}`
    default:
      return unreachable(failure)
  }
}

/** Closes an exhaustive `switch`: a new variant then fails to compile at every place that must learn of it. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}

/** What somebody else's error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
