/**
 * Whatever is wanted and whatever somebody else does meanwhile, kernels come to hold what is wanted and keep what is
 * foreign. Random stories are told to a kernel by turns like the daemon's: read, plan, write down, attempt.
 */
import {
  holds,
  isHeld,
  obstacles,
  ownEntries,
  parseDeviceName,
  parseGreKey,
  parseInterfaceAddress,
  parseMac,
  parseVni,
  passable,
  plan,
  slot,
  sure,
  table,
  unmarked,
  type Entry,
  type IpAddress,
  type MacAddress,
  type Operation,
  type Reading,
  type Slot,
  type Table,
  type TunnelSpec,
} from '@vxmesh/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ip, UNDERLAY, UNDERLAY_6, type ByHand, type Lab } from './setting.ts'

/** What happens next. Numbers pick from the pools below. */
type Step =
  | { readonly kind: 'want'; readonly entries: readonly number[] }
  | { readonly kind: 'turn'; readonly held: boolean; readonly refused: number }
  | { readonly kind: 'crash' }
  | { readonly kind: 'forget' }
  | { readonly kind: 'write' | 'erase'; readonly entry: number }
  | { readonly kind: 'foreign'; readonly entry: number; readonly there: boolean }
  | { readonly kind: 'down' }
  | { readonly kind: 'readdress'; readonly mac: number }

/** A kind of tunnel, and what its entries are. */
type Dialect = {
  readonly spec: TunnelSpec
  /** What somebody else makes for it to be adopted. */
  readonly byHand: ByHand
  /** Places to fight over. */
  readonly pool: readonly Entry[]
  /** What nobody ever wants. */
  readonly elsewhere: readonly Entry[]
  /** What the kernel forgets when the device goes down, and when it gets another MAC address or asks for those of others. */
  readonly forgets: { readonly down: readonly Entry['kind'][]; readonly readdress: readonly Entry['kind'][] }
}

const device = sure(parseDeviceName('provider0'))
const COMMON = { device, port: undefined, addresses: [sure(parseInterfaceAddress('192.168.234.1/23'))] }

const numbers = [1, 2, 3] as const
const mac = (number: number): MacAddress => sure(parseMac(`02:00:00:00:00:0${String(number)}`))
const underlay = (number: number) => ip(`192.168.226.10${String(number)}`)

/** Each place has three things that it may lead to. */
const VXLAN: Dialect = {
  spec: { ...COMMON, mode: 'vxlan', id: sure(parseVni(16)), local: UNDERLAY, alias: 'vxmesh:12D3KooWcontract:16' },
  byHand: { kind: 'vxlan', id: sure(parseVni(16)), local: UNDERLAY },
  pool: numbers.flatMap((at) => [
    { kind: 'flood', underlay: underlay(at) } as const,
    ...numbers.flatMap((to): Entry[] => [
      { kind: 'fdb', mac: mac(at), underlay: underlay(to) },
      { kind: 'neighbour', overlay: ip(`192.168.234.10${String(at)}`), mac: mac(to) },
      { kind: 'neighbour', overlay: ip(`fd00:234::${String(at)}`), mac: mac(to) },
    ]),
  ]),
  elsewhere: [
    { kind: 'flood', underlay: ip('10.9.9.9') },
    { kind: 'fdb', mac: mac(9), underlay: ip('10.9.9.9') },
    { kind: 'fdb', mac: mac(9), underlay: ip('10.9.9.8') },
    { kind: 'neighbour', overlay: ip('192.168.235.9'), mac: mac(9) },
    { kind: 'neighbour', overlay: ip('192.168.235.9'), mac: mac(8) },
    { kind: 'neighbour', overlay: ip('fd00:235::9'), mac: mac(9) },
  ],
  forgets: { down: ['neighbour'], readdress: ['neighbour'] },
}

const KEY = sure(parseGreKey(1234))
const GRE_SPEC = {
  ...COMMON,
  mode: 'gre',
  id: KEY,
  addresses: [...COMMON.addresses, sure(parseInterfaceAddress('fd00:234::1/64'))],
} as const
const BARRIERS = ['192.168.234.0/24', '192.168.235.0/24', 'fd00:234::/65'].map((network): Entry => ({
  kind: 'unreachable',
  network: sure(parseInterfaceAddress(network)),
}))

const GRE: Dialect = {
  spec: { ...GRE_SPEC, local: UNDERLAY, alias: 'vxmesh:12D3KooWcontract:gre:1234' },
  byHand: { kind: 'gre', id: KEY, local: UNDERLAY },
  pool: [
    ...numbers
      .flatMap((at) => [ip(`192.168.234.10${String(at)}`), ip(`fd00:234::${String(at + 1)}`)])
      .flatMap((overlay): Entry[] => [
        ...numbers.map((to): Entry => ({ kind: 'neighbour', overlay, underlay: underlay(to) })),
        { kind: 'route', overlay },
      ]),
    ...BARRIERS,
  ],
  elsewhere: [
    { kind: 'neighbour', overlay: ip('192.168.235.9'), underlay: ip('10.9.9.9') },
    { kind: 'neighbour', overlay: ip('192.168.235.9'), underlay: ip('10.9.9.8') },
    { kind: 'neighbour', overlay: ip('fd00:234::99'), underlay: ip('10.9.9.9') },
    { kind: 'route', overlay: ip('192.168.235.8') },
    { kind: 'route', overlay: ip('fd00:234::98') },
  ],
  forgets: { down: ['neighbour', 'route'], readdress: ['neighbour'] },
}

const wrapped = (overlay: IpAddress, to: number): Entry => {
  return { kind: 'route', overlay, local: UNDERLAY_6, underlay: ip(`fd00:226::10${String(to)}`), key: KEY }
}

const GRE_6: Dialect = {
  spec: { ...GRE_SPEC, local: UNDERLAY_6, alias: 'vxmesh:12D3KooWcontract:gre:1234' },
  byHand: { kind: 'ip6gre', external: true },
  pool: [
    ...numbers.flatMap((at) =>
      numbers.flatMap((to) => [wrapped(ip(`192.168.234.10${String(at)}`), to), wrapped(ip(`fd00:234::${String(at + 1)}`), to)]),
    ),
    ...BARRIERS,
  ],
  elsewhere: [wrapped(ip('192.168.235.9'), 9), wrapped(ip('192.168.235.8'), 8), wrapped(ip('fd00:234::99'), 9)],
  forgets: { down: ['route'], readdress: [] },
}

const DIALECTS = { vxlan: VXLAN, gre: GRE, 'gre over IPv6': GRE_6 } as const

const index = fc.nat(1000)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('want' as const), entries: fc.array(index, { maxLength: 8 }) }),
  fc.record({ kind: fc.constant('turn' as const), held: fc.boolean(), refused: fc.nat(3) }),
  fc.constantFrom<Step>({ kind: 'crash' }, { kind: 'forget' }, { kind: 'down' }),
  fc.record({ kind: fc.constantFrom('write' as const, 'erase' as const), entry: index }),
  fc.record({ kind: fc.constant('foreign' as const), entry: index, there: fc.boolean() }),
  fc.record({ kind: fc.constant('readdress' as const), mac: fc.integer({ min: 4, max: 6 }) }),
)

const picked = (from: readonly Entry[], number: number): Entry => from[number % from.length]!

/** Tells a kernel `runs` stories on a device that it made, and as many on one that somebody else made. */
export function kernelModel(name: string, make: () => Promise<Lab>, runs: number, kind: keyof typeof DIALECTS = 'vxlan'): void {
  const dialect = DIALECTS[kind]
  test.each(['made', 'adopted'] as const)(
    `${name} of ${kind} comes to hold what is wanted and keeps what is foreign, whatever happens: a device that was %s`,
    async (origin) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
          const lab = await make()
          try {
            const { strangers, ...ending } = await new Story(lab, dialect, origin).tell(steps)
            expect(ending).toEqual({ undone: [], missing: [], surplus: [], touched: [] })
            expect(strangers.found).toEqual(strangers.left)
          } finally {
            await lab.close()
          }
        }),
        { numRuns: runs },
      )
    },
  )
}

/** What is wrong at the end, if anything, and what became of that which nobody wants. */
type Ending = {
  /** What a turn would still do. */
  readonly undone: readonly Operation[]
  /** Wanted, not barred, and not there. */
  readonly missing: readonly Entry[]
  /** Ours, not wanted, and there. */
  readonly surplus: readonly Slot[]
  /** Not ours, and changed by a turn. */
  readonly touched: readonly Slot[]
  readonly strangers: { readonly found: Table; readonly left: Table }
}

class Story {
  readonly #lab: Lab
  readonly #dialect: Dialect
  readonly #origin: 'made' | 'adopted'
  #wanted: Table = new Map()
  #written: ReadonlySet<Slot> = new Set()
  /** What somebody has at places that nobody wants. */
  readonly #foreign = new Map<Slot, Entry>()
  readonly #touched: Slot[] = []

  constructor(lab: Lab, dialect: Dialect, origin: 'made' | 'adopted') {
    this.#lab = lab
    this.#dialect = dialect
    this.#origin = origin
  }

  async tell(steps: readonly Step[]): Promise<Ending> {
    const { spec, byHand, elsewhere } = this.#dialect
    if (this.#origin === 'adopted') await this.#lab.plant(device, byHand)
    await this.#lab.kernel.establish(spec)
    for (const each of steps) await this.#happen(each)
    // One turn is enough once it is quiet: the second has nothing to do.
    await this.#turn(false)
    const { operations, reading, wanted } = await this.#look(false)
    const actual = { ...reading, ours: ownEntries(reading, this.#written) }
    const barred = new Set(obstacles(wanted, actual).map((each) => each.wanted))
    const strange = new Set(elsewhere.map(slot))
    // On a device that we made all is ours but a route that somebody else marked as his, by not marking it as ours.
    const lasting = [...this.#foreign].filter(([, { kind }]) => this.#origin === 'adopted' || kind === 'route')
    return {
      undone: operations,
      missing: [...wanted.values()].filter((entry) => !barred.has(entry) && !holds(reading.entries, entry)),
      surplus: [...reading.entries.keys()].filter((place) => actual.ours.has(place) && !wanted.has(place)),
      touched: this.#touched,
      strangers: { found: new Map([...reading.entries].filter(([place]) => strange.has(place))), left: new Map(lasting) },
    }
  }

  async #happen(next: Step): Promise<void> {
    const { spec, pool, elsewhere, forgets } = this.#dialect
    switch (next.kind) {
      case 'want':
        this.#wanted = table(next.entries.map((number) => picked(pool, number)))
        return
      case 'turn':
        await this.#lab.refuse?.(next.refused)
        return this.#turn(next.held)
      case 'crash':
        this.#note((await this.#look(true)).operations)
        return
      case 'forget':
        this.#written = new Set()
        return
      case 'write':
        return this.#put(picked(pool, next.entry))
      case 'erase':
        return this.#lab.erase(device, picked(pool, next.entry))
      case 'foreign':
        return this.#somebody(picked(elsewhere, next.entry), next.there)
      case 'down':
        await this.#lab.takeDown(device)
        await this.#lab.kernel.establish(spec)
        return this.#forgotten(forgets.down)
      case 'readdress':
        await (spec.mode === 'gre' ? this.#lab.ask(device) : this.#lab.readdress(device, mac(next.mac)))
        return this.#forgotten(forgets.readdress)
    }
  }

  async #somebody(entry: Entry, there: boolean): Promise<void> {
    const place = slot(entry)
    if (there) this.#foreign.set(place, entry)
    // A neighbour goes whatever it is, an fdb entry or a route only as what it is.
    else if (entry.kind === 'neighbour' || holds(this.#foreign, entry)) this.#foreign.delete(place)
    await (there ? this.#put(entry) : this.#lab.erase(device, entry))
  }

  /** A route is put in the place of another by who takes that away first. */
  async #put(entry: Entry): Promise<void> {
    const { pool, elsewhere } = this.#dialect
    const inTheWay =
      entry.kind === 'route' || entry.kind === 'unreachable' ? [...pool, ...elsewhere].filter((each) => slot(each) === slot(entry)) : []
    for (const each of inTheWay) await this.#lab.erase(device, each)
    await this.#lab.write(device, entry)
  }

  #forgotten(kinds: readonly Entry['kind'][]): void {
    for (const [place, { kind }] of this.#foreign) if (kinds.includes(kind)) this.#foreign.delete(place)
  }

  async #turn(held: boolean): Promise<void> {
    const { operations, reading } = await this.#look(held)
    const ours = ownEntries(reading, this.#written)
    this.#note(operations)
    await this.#lab.kernel.attempt(device, operations)
    await this.#lab.refuse?.(0)
    const after = await this.#read()
    this.#written = new Set([...this.#written].filter((place) => after.entries.has(place)))
    for (const [place, entry] of reading.entries) if (!ours.has(place) && !holds(after.entries, entry)) this.#touched.push(place)
  }

  #note(operations: readonly Operation[]): void {
    if (this.#origin === 'adopted') this.#written = new Set([...this.#written, ...unmarked(operations).map(slot)])
  }

  async #look(held: boolean): Promise<{ readonly operations: readonly Operation[]; readonly reading: Reading; readonly wanted: Table }> {
    const reading = await this.#read()
    const actual = { ...reading, ours: ownEntries(reading, this.#written) }
    const hold = held ? { reason: 'held', replacements: false, brief: false } : undefined
    const wanted = passable(this.#wanted, actual)
    return { operations: plan(wanted, actual).filter((each) => !isHeld(each, hold, new Set(), false)), reading, wanted }
  }

  async #read(): Promise<Reading> {
    const reading = await this.#lab.kernel.read(this.#dialect.spec)
    if (reading === undefined) throw new Error('the device is gone')
    return reading
  }
}
