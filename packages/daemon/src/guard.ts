/** The guard of a tunnel: what it is to be, and what is said of it. */
import {
  GUARD,
  guarded,
  holds,
  isOfGuard,
  plan,
  type Device,
  type Kernel,
  type Port,
  type Reading,
  type Rejection,
  type Table,
  type TunnelClaim,
  type TunnelSpec,
} from '@vxmesh/core'
import { guardOf } from '@vxmesh/kernel-adapter'
import type { TunnelRow } from './answers.ts'

type Asked = Pick<TunnelSpec, 'guard'>

/** What is wanted of a tunnel that is claimed so, with its guard where one was asked for. */
export function withGuard({ guard }: Asked, claim: TunnelClaim, { privileged }: Pick<Device, 'privileged'>, wanted: Table): Table {
  if (guard !== true) return wanted
  const others = [...wanted.values()].flatMap((entry): readonly Port[] =>
    entry.kind === 'flood' && entry.port !== undefined ? [entry.port] : [],
  )
  const ports = [...new Set([...(claim.port === undefined ? [] : [claim.port]), ...others])].toSorted((a, b) => a - b)
  return guarded(wanted, guardOf({ ...claim, ports, privileged: privileged === true }))
}

/**
 * Puts a guard up around what a device has, before anybody is heard: until then it must neither be open nor cut off those to whom
 * it sends. What is refused is tried again, and told, by the turns that follow.
 */
export async function raiseGuard(kernel: Kernel, spec: TunnelSpec, device: Device, claim: TunnelClaim): Promise<void> {
  const reading = spec.guard === true ? await kernel.read(spec) : undefined
  if (reading === undefined || reading.entries.has(GUARD)) return
  const wanted = withGuard(spec, claim, device, reading.entries)
  await kernel.attempt(spec.device, plan(wanted, { ...reading, ours: new Set() }))
}

/** What status says of a guard that is wanted; null where none is. */
export function guardRow(wanted: Table, reading: Reading | undefined): TunnelRow['guard'] {
  if (!wanted.has(GUARD)) return null
  const parts = [...wanted.values()].filter(isOfGuard)
  const present = parts.filter((entry) => holds(reading?.entries, entry))
  const admitted = present.filter(({ kind }) => kind === 'admitted').length
  return { standing: present.length === parts.length, wanted: parts.length - 1, admitted }
}

/** What an operator should know of a guard that is wanted. */
export function guardTrouble(
  { device, guard }: Asked & Pick<TunnelSpec, 'device'>,
  reading: Reading | undefined,
  rejections: readonly Rejection[],
): readonly string[] {
  if (guard !== true) return []
  const [refused] = rejections.filter(({ operation }) => isOfGuard(operation.entry))
  const open = reading !== undefined && reading.device.port !== undefined && reading.device.privileged !== true
  return [
    ...(refused === undefined ? [] : [`the guard of ${device} is not as it should be: ${refused.reason}`]),
    ...(open
      ? [
          `${device} sends from UDP ports that any user of this host may have, who so can forge what it sends: delete it, and make it with "srcport 600 1023" as vxmesh does`,
        ]
      : []),
  ]
}
