/** One tunnel of a daemon while it runs: its device, what is claimed for it, and the loop that keeps its entries. */
import {
  desired,
  memberMtus,
  removalHold,
  sameTunnel,
  type Device,
  type IpAddress,
  type Kernel,
  type MeshId,
  type PeerId,
  type TunnelClaim,
  type TunnelSpec,
  type Verdict,
  type Whereabouts,
} from '@vxmesh/core'
import { evictionsDigest, surroundings, whereabouts, type State } from '@vxmesh/gossip'
import { monotonicClock as clock } from './clock.ts'
import { claimOf, establish, sameClaim, specOf } from './establish.ts'
import { raiseGuard, withGuard } from './guard.ts'
import { roomOn } from './home.ts'
import type { Log } from './log.ts'
import type { UpOptions } from './options.ts'
import { inItsWords, type Kernels } from './prelude.ts'
import { startReconciler, type Decision, type Picture } from './reconciler.ts'
import type { Store } from './store.ts'

/** A tunnel whose device is there, and which nobody tends yet. */
export type Established = {
  readonly kernel: Kernel
  readonly spec: TunnelSpec
  readonly device: Device
  readonly claim: TunnelClaim
}

/** What a tunnel has to know of the member that carries it. */
export type Carrier = {
  readonly self: PeerId
  readonly store: Store
  readonly log: Log
  /** Warns of something once, by its key. */
  warn(key: string, text: string): void
  state(): State
  /** Whether an underlay address may be sent to at all. */
  readonly within: (underlay: IpAddress) => boolean
  /** Whether members have to be found where they say that they are. */
  readonly seeks: boolean
  /** Whether all evictions are written down. */
  remembers(): boolean
  /** Hears, every turn, that the device is there. */
  noticed(): void
  /** Hears that what the tunnel claims is another, or that it follows other evictions. */
  changed(): void
}

export type Tunnel = {
  readonly spec: TunnelSpec
  /** What is claimed for it now. */
  readonly claim: TunnelClaim
  /** The digest of the evictions that its kernel has followed. */
  readonly enforces: string
  wake(): void
  look(): Promise<Picture>
  /** Takes our entries away, and stops. Returns how many there were. */
  withdraw(): Promise<number>
  stop(): Promise<void>
}

/** Makes or takes the devices of all tunnels: of all, or, where one cannot be had by what is there already, of none. */
export async function establishAll(kernels: Kernels, options: UpOptions, mesh: MeshId, store: Store): Promise<readonly Established[]> {
  const asked = options.tunnels.map((tunnel) => ({ tunnel, kernel: kernels(tunnel.mode), spec: specOf(tunnel, mesh, options.guard) }))
  for (const { tunnel, kernel, spec } of asked.length > 1 ? asked : []) await inItsWords(options, tunnel, async () => kernel.steps(spec))
  const established: Established[] = []
  for (const { spec } of asked) store.take(spec.device, spec)
  for (const { tunnel, kernel, spec } of asked) {
    const device = await inItsWords(options, tunnel, async () => establish(kernel, spec, store))
    const claim = claimOf(spec, device, await roomOn(kernel, spec, device), store)
    await raiseGuard(kernel, spec, device, claim)
    established.push({ kernel, spec, device, claim })
  }
  return established
}

/** Tells of tunnels that the last start was asked for and this one is not: whose they are now is for their user to say. */
export function tellOfFormer(store: Store, { tunnels }: UpOptions, log: Log): void {
  for (const { device, mode, id, key } of store.asked()?.tunnels ?? []) {
    if (tunnels.some((each) => each.device === device)) continue
    const words = [device, mode, id ?? key].filter((word) => word !== undefined).join(' ')
    const remedy = `to remove it: ip link delete dev ${device}`
    log.warn({ event: 'former', device }, `${words} is not asked for any more: it and its entries are left as they are; ${remedy}`)
  }
}

export function startTunnel({ kernel, spec, device, claim: first }: Established, carrier: Carrier): Tunnel {
  const { self, store, log } = carrier
  let claim = first
  let seen = device
  let enforces = ''

  /** Tells the others of a device that changed, whoever changed it. */
  function notice(current: Device, room: number | undefined): void {
    carrier.noticed()
    seen = current
    const claimed = claimOf(spec, current, room, store)
    if (sameClaim(claim, claimed)) return
    claim = claimed
    log.info({ event: 'moved', device: current.name, ...claimed }, `${current.name} has changed: telling the others`)
    carrier.changed()
  }

  /** Where members were found last: packets go there until they are found where they have moved to. */
  const before = new Map<PeerId, Pick<TunnelClaim, 'underlay' | 'port'>>()

  function found(peer: PeerId, underlay: IpAddress): Whereabouts {
    return carrier.seeks ? whereabouts(carrier.state(), peer, underlay, clock.now()) : 'reached'
  }

  function noteWhere({ view }: State, peer: PeerId, verdict: Verdict): void {
    const record = view.get(peer)?.signed.record
    const theirs = record?.tunnels.find((each) => sameTunnel(each, claim))
    if (record === undefined || theirs === undefined) return
    const where = found(peer, theirs.underlay)
    if (verdict.kind === 'unwanted') before.delete(peer)
    else if (verdict.kind === 'wanted' && where === 'reached') before.set(peer, theirs)
    // Whoever has just come may be found yet.
    const early = where === 'unheard' && carrier.within(theirs.underlay)
    const reason = verdict.kind !== 'refused' || early ? undefined : verdict.reason
    if (reason !== undefined) carrier.warn(`${peer} ${reason}`, `${record.name} is not programmed on ${spec.device}: ${reason}`)
  }

  /** What follows for the kernel from the view as it is now. */
  function decide(): Decision {
    const state = carrier.state()
    const { view, standings, lapsed } = state
    const wanted = desired(view, standings, self, claim, { lapsed, within: carrier.within, whereabouts: found, before })
    for (const [peer, verdict] of wanted.verdicts) noteWhere(state, peer, verdict)
    for (const { loser, winner, what } of wanted.conflicts.values()) {
      const named = (peer: PeerId): string => view.get(peer)?.signed.record.name ?? peer
      carrier.warn(
        `${what} ${loser}`,
        `${what} is claimed by two members: ${named(winner)} has it, the claim of ${named(loser)} is not programmed`,
      )
    }
    const hold = removalHold(surroundings(state, self, clock.now()))
    const mtus = memberMtus(view, wanted.verdicts, spec)
    const table = withGuard(spec, claim, seen, wanted.table)
    return { desired: { ...wanted, table }, hold, mtus, enforces: carrier.remembers() ? evictionsDigest(state) : enforces }
  }

  /** What is written down, and followed by the kernel, is what the others may rely on. */
  function enforced(decision: Decision): void {
    if (decision.enforces === enforces) return
    enforces = decision.enforces
    carrier.changed()
  }

  const reconciler = startReconciler({ kernel, spec, device, store, log, notice, decide, enforced })
  return {
    spec,
    get claim() {
      return claim
    },
    get enforces() {
      return enforces
    },
    wake: () => reconciler.wake(),
    look: async () => reconciler.look(),
    withdraw: async () => reconciler.withdraw(),
    stop: async () => reconciler.stop(),
  }
}
