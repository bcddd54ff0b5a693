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
  parseInterfaceAddress,
  parseMac,
  parseVni,
  plan,
  slot,
  table,
  unmarked,
  type Entry,
  type MacAddress,
  type Operation,
  type Reading,
  type Slot,
  type Table,
  type TunnelSpec,
} from '@vxmesh/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ip, must, UNDERLAY, type Lab } from './kernel.contract.ts'

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

const device = must(parseDeviceName('provider0'))
const SPEC = {
  device,
  mode: 'vxlan',
  id: must(parseVni(16)),
  local: UNDERLAY,
  port: undefined,
  addresses: [must(parseInterfaceAddress('192.168.234.1/23'))],
  alias: 'vxmesh:12D3KooWcontract:16',
} as const satisfies TunnelSpec

const numbers = [1, 2, 3] as const
const mac = (number: number): MacAddress => must(parseMac(`02:00:00:00:00:0${String(number)}`))
const underlay = (number: number) => ip(`192.168.226.10${String(number)}`)

/** Places to fight over: each has three things that it may lead to. */
const POOL: readonly Entry[] = numbers.flatMap((at) => [
  { kind: 'flood', underlay: underlay(at) } as const,
  ...numbers.flatMap((to): Entry[] => [
    { kind: 'fdb', mac: mac(at), underlay: underlay(to) },
    { kind: 'neighbour', overlay: ip(`192.168.234.10${String(at)}`), mac: mac(to) },
    { kind: 'neighbour', overlay: ip(`fd00:234::${String(at)}`), mac: mac(to) },
  ]),
])

/** What nobody ever wants. */
const ELSEWHERE: readonly Entry[] = [
  { kind: 'flood', underlay: ip('10.9.9.9') },
  { kind: 'fdb', mac: mac(9), underlay: ip('10.9.9.9') },
  { kind: 'fdb', mac: mac(9), underlay: ip('10.9.9.8') },
  { kind: 'neighbour', overlay: ip('192.168.235.9'), mac: mac(9) },
  { kind: 'neighbour', overlay: ip('192.168.235.9'), mac: mac(8) },
  { kind: 'neighbour', overlay: ip('fd00:235::9'), mac: mac(9) },
]

const one = fc.nat(POOL.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('want' as const), entries: fc.array(one, { maxLength: 8 }) }),
  fc.record({ kind: fc.constant('turn' as const), held: fc.boolean(), refused: fc.nat(3) }),
  fc.constantFrom<Step>({ kind: 'crash' }, { kind: 'forget' }, { kind: 'down' }),
  fc.record({ kind: fc.constantFrom('write' as const, 'erase' as const), entry: one }),
  fc.record({ kind: fc.constant('foreign' as const), entry: fc.nat(ELSEWHERE.length - 1), there: fc.boolean() }),
  fc.record({ kind: fc.constant('readdress' as const), mac: fc.integer({ min: 4, max: 6 }) }),
)

/** Tells a kernel `runs` stories on a device that it made, and as many on one that somebody else made. */
export function kernelModel(name: string, make: () => Promise<Lab>, runs: number): void {
  test.each(['made', 'adopted'] as const)(
    `${name} comes to hold what is wanted and keeps what is foreign, whatever happens: a device that was %s`,
    async (origin) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
          const lab = await make()
          try {
            const { strangers, ...ending } = await new Story(lab, origin).tell(steps)
            expect(ending).toEqual({ undone: [], missing: [], surplus: [], touched: [] })
            expect(strangers.found).toEqual(origin === 'made' ? new Map() : strangers.left)
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
  readonly #origin: 'made' | 'adopted'
  #wanted: Table = new Map()
  #written: ReadonlySet<Slot> = new Set()
  /** What somebody has at places that nobody wants. */
  readonly #foreign = new Map<Slot, Entry>()
  readonly #touched: Slot[] = []

  constructor(lab: Lab, origin: 'made' | 'adopted') {
    this.#lab = lab
    this.#origin = origin
  }

  async tell(steps: readonly Step[]): Promise<Ending> {
    const { kernel } = this.#lab
    if (this.#origin === 'adopted') await this.#lab.plant(device, { kind: 'vxlan', id: SPEC.id, local: UNDERLAY })
    await kernel.establish(SPEC)
    for (const each of steps) await this.#happen(each)
    // One turn is enough once it is quiet: the second has nothing to do.
    await this.#turn(false)
    const { operations, reading } = await this.#look(false)
    const actual = { ...reading, ours: ownEntries(reading, this.#written) }
    const barred = new Set(obstacles(this.#wanted, actual).map(({ wanted }) => wanted))
    const elsewhere = new Set(ELSEWHERE.map(slot))
    return {
      undone: operations,
      missing: [...this.#wanted.values()].filter((entry) => !barred.has(entry) && !holds(reading.entries, entry)),
      surplus: [...reading.entries.keys()].filter((place) => actual.ours.has(place) && !this.#wanted.has(place)),
      touched: this.#touched,
      strangers: { found: new Map([...reading.entries].filter(([place]) => elsewhere.has(place))), left: this.#foreign },
    }
  }

  async #happen(next: Step): Promise<void> {
    switch (next.kind) {
      case 'want':
        this.#wanted = table(next.entries.map((index) => POOL[index]!))
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
        return this.#lab.write(device, POOL[next.entry]!)
      case 'erase':
        return this.#lab.erase(device, POOL[next.entry]!)
      case 'foreign':
        return this.#somebody(ELSEWHERE[next.entry]!, next.there)
      case 'down':
        await this.#lab.takeDown(device)
        await this.#lab.kernel.establish(SPEC)
        return this.#flushed()
      case 'readdress':
        await this.#lab.readdress(device, mac(next.mac))
        return this.#flushed()
    }
  }

  async #somebody(entry: Entry, there: boolean): Promise<void> {
    const place = slot(entry)
    if (there) this.#foreign.set(place, entry)
    // A neighbour goes whatever it is, an fdb entry only as what it is.
    else if (entry.kind === 'neighbour' || holds(this.#foreign, entry)) this.#foreign.delete(place)
    await (there ? this.#lab.write(device, entry) : this.#lab.erase(device, entry))
  }

  /** The kernel forgot all neighbours. */
  #flushed(): void {
    for (const [place, { kind }] of this.#foreign) if (kind === 'neighbour') this.#foreign.delete(place)
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

  async #look(held: boolean): Promise<{ readonly operations: readonly Operation[]; readonly reading: Reading }> {
    const reading = await this.#read()
    const actual = { ...reading, ours: ownEntries(reading, this.#written) }
    const hold = held ? { reason: 'held', replacements: false, brief: false } : undefined
    return { operations: plan(this.#wanted, actual).filter((each) => !isHeld(each, hold, new Set(), false)), reading }
  }

  async #read(): Promise<Reading> {
    const reading = await this.#lab.kernel.read(SPEC)
    if (reading === undefined) throw new Error('the device is gone')
    return reading
  }
}
