/** What came of a command, from what the tool said and what was read afterwards. */
import { holds, slot, type DeviceName, type Failure, type Operation, type Rejection, type Table } from '@vxmesh/core'
import { describe, words, type Call } from './render.ts'

/** Whether the tool says that the device it was asked about is not there: `ip` and `bridge` word it differently. */
export function saysAbsent(stderr: string): boolean {
  return /^Device ".*" does not exist\.?$|^Cannot find device ".*"$/m.test(stderr)
}

/** Why a command that changes something failed, and what to do where that is known. */
export function explain(command: Call, stderr: string): Failure {
  const typed = words(command)
  if (stderr.includes('Operation not permitted')) {
    const reason = `"${typed}" is not permitted: run as root, or with AmbientCapabilities=CAP_NET_ADMIN under systemd`
    return { code: 'NOT_PERMITTED', reason }
  }
  const gre = [GRE, IP6GRE].find(({ word }) => command.args.includes(word))
  const creates = command.args[0] === 'link' && command.args[1] === 'add'
  if (creates && /Unknown device type|Operation not supported/.test(stderr)) {
    return { code: 'NOT_PERMITTED', reason: without(gre ?? VXLAN) }
  }
  const why = creates && gre !== undefined && stderr.includes('File exists') ? `: ${gre.taken}` : ''
  return { code: 'KERNEL_REFUSED', command: typed, reason: `${spoken(stderr)}${why}` }
}

/** A kind of device: what it is called, and its module. */
type Kind = { readonly kind: string; readonly module: string }

export const VXLAN: Kind = { kind: 'vxlan', module: 'vxlan' }

/** Devices of GRE: their word in a command as well, and why there is no second. */
export const GRE = { kind: 'GRE', module: 'ip_gre', word: 'gre', taken: 'another device has that local address and key' }

export const IP6GRE = {
  kind: 'GRE over IPv6',
  module: 'ip6_gre',
  word: 'ip6gre',
  taken: 'another device takes all GRE over IPv6, and a network namespace has no two of them',
}

/** Says that the kernel has no such devices, and how to get them. */
export function without({ kind, module }: Kind): string {
  return `this kernel has no ${kind}: load its module (modprobe ${module}; in a container, on the host)`
}

/** What the tool said, on one line. */
export function spoken(stderr: string): string {
  const said = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return said.length === 0 ? 'it failed and did not say why' : said.join('; ')
}

/** What nft says is wrong, without the text in which it is. */
export function complaintOfNft(stderr: string): string {
  return /Error: (.*)$/m.exec(stderr)?.[1] ?? spoken(stderr)
}

/** The complaints of a batch, by the number of the line they are about, from 1. */
export function complaints(stderr: string): ReadonlyMap<number, string> {
  const reasons = new Map<number, string>()
  const hear = complaintHearer((number, reason) => void reasons.set(number, reason))
  for (const line of stderr.split('\n')) hear(line)
  return reasons
}

/** Hears what a batch says, line by line, and tells of each complaint: the number of the line it is about, and why. */
export function complaintHearer(tell: (number: number, reason: string) => void): (line: string) => void {
  let said: string[] = []
  return (line) => {
    const failed = /^Command failed -:(\d+)$/.exec(line)
    if (failed === null) {
      said.push(line)
      return
    }
    const reason = spoken(said.join('\n'))
    said = []
    tell(Number(failed[1]), reason)
  }
}

/**
 * The operations that the table read afterwards does not bear out; `reasons` by place in `operations`, from 1. The
 * exit status would be the wrong judge: a second destination can succeed and change nothing, and deleting what is
 * not there can fail. Of several operations on one slot the last is judged.
 */
export function rejections(
  operations: readonly Operation[],
  device: DeviceName,
  after: Table,
  reasons: ReadonlyMap<number, string>,
): readonly Rejection[] {
  const last = new Map(operations.map(({ entry }, index) => [slot(entry), index]))
  return operations.flatMap((operation, index): Rejection[] => {
    const place = slot(operation.entry)
    const removes = operation.kind === 'remove'
    const done = holds(after, operation.entry) !== removes
    if (last.get(place) !== index || done) return []
    const reason = reasons.get(index + 1) ?? `no error was reported, yet the entry is ${removes ? 'still' : 'not'} there`
    return [{ operation, command: describe(operation, device), reason }]
  })
}
