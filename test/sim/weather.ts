/** Random weather: for a while anything may happen to anybody; then faults stop, and within a bound all must agree. */
import { milliseconds, seconds, type Duration } from '@vxmesh/core'
import { Cluster, type ClusterOptions } from './cluster.ts'
import { Dice } from './dice.ts'
import { DEVICE, SECOND_DEVICE } from './world.ts'

/** A cluster that stands at the beginning, and what is to happen to it. */
export type Telling = { readonly cluster: Cluster; readonly tell: () => void }

/** What a history is shown by. */
export type Shown = Pick<ClusterOptions, 'trace' | 'replay'>

/** Addresses in a second tunnel, of those that have one. */
type SecondTunnels = NonNullable<ClusterOptions['seconds']>

/**
 * In three histories of ten some have a second tunnel. Which, other dice say, so that all other histories are as ever; and so
 * are those of the first seeds, which are known to catch what `./scripts/mutate` plants.
 */
const KNOWN_SEEDS = 1000

function secondTunnels(names: readonly string[], seed: number): SecondTunnels {
  const dice = new Dice(seed + 0.75 * 2 ** 40)
  if (seed < KNOWN_SEEDS || !dice.chance(0.3)) return {}
  const having = [...names.slice(0, 1), ...dice.some(names.slice(1))]
  return Object.fromEntries(having.map((name, index) => [name, `172.16.${String(index >> 8)}.${String(1 + (index & 255))}`]))
}

/** A storm of this length, then calm. */
export function weather(size: number, seed: number, storm: Duration, shown: Shown): Telling {
  const dice = new Dice(seed + 0.5 * 2 ** 40)
  const names = Array.from({ length: size }, (_, index) => `m${String(index)}`)
  const rough = dice.chance(0.3)
  const far = dice.chance(0.2)
  const dropping = dice.chance(0.3)
  const bursts = { every: seconds(dice.between(5, 60)), last: seconds(dice.exponential(1)), drops: dice.between(0, 0.4) }
  const tunnels = secondTunnels(names, seed)
  const cluster = new Cluster(names, {
    ...shown,
    seed,
    seconds: tunnels,
    adopted: dice.some(names).filter(() => dice.chance(0.3)),
    stopped: dice.some(names).filter(() => dice.chance(0.3)),
    ...(far ? { sites: Object.fromEntries(names.map((name) => [name, `site ${String(dice.below(3))}`])) } : {}),
    ...(dice.chance(0.5) ? { garbage: { every: seconds(dice.between(2, 20)) } } : {}),
    network: {
      drops: dropping ? dice.between(0, 0.02) : 0,
      bursts: dropping && dice.chance(0.5) ? bursts : undefined,
      delay: milliseconds(dice.between(0.2, 20)),
      jitter: milliseconds(dice.between(0, 20)),
      loss: rough ? dice.between(0, 0.02) : 0,
      duplication: rough ? dice.between(0, 0.05) : 0,
      reordering: rough ? dice.between(0, 0.05) : 0,
      cuts: dice.chance(0.5) ? 'hold' : 'forget',
    },
  })
  const pace = dice.between(500, 8000)
  const tell = () => {
    for (let passed = 0; passed < storm;) {
      const calm = milliseconds(dice.exponential(pace))
      cluster.run(calm)
      passed += calm
      strike(cluster, dice, tunnels)
    }
    clear(cluster)
  }
  return { cluster, tell }
}

/** In which whoever is leaving has left. */
const FAREWELL = seconds(1)

/** Mends everything, has everybody run but those who are gone, and checks that all come to agree. */
export function clear(cluster: Cluster, gone: readonly string[] = []): void {
  cluster.heal()
  for (const name of cluster.names) {
    cluster.setKernel(name, 'well')
    cluster.setDisk(name, 'roomy')
  }
  // Who is leaving is not to be started while it still runs, and would be missing ever after.
  cluster.run(FAREWELL)
  for (const name of cluster.names.filter((each) => !gone.includes(each))) {
    cluster.powerOn(name)
    cluster.start(name)
  }
  cluster.settle()
}

/** One thing that goes wrong, or right again. */
function strike(cluster: Cluster, dice: Dice, tunnels: SecondTunnels): void {
  const { names } = cluster
  const name = dice.pick(names)
  const device = name in tunnels && dice.chance(0.5) ? SECOND_DEVICE : DEVICE
  const others = names.filter((each) => each !== name)
  const side = dice.some(names)
  const other = names.filter((each) => !side.includes(each))
  const strikes: readonly (() => void)[] = [
    () => cluster.partition(side, other),
    () => cluster.partition([name], others),
    () => cluster.cutOneWay([name], dice.some(names)),
    () => cluster.heal(),
    () => cluster.heal(),
    () => cluster.kill(name),
    () => cluster.start(name),
    () => cluster.start(name, { withoutState: dice.chance(0.3), clockBehind: seconds(dice.below(3) * 500) }),
    () => cluster.powerOff(name),
    () => cluster.powerOn(name),
    () => cluster.pause(name, milliseconds(dice.exponential(4000))),
    () => cluster.leave(name),
    () => cluster.tamper(name, 'remove all', device),
    () => cluster.tamper(name, { add: `10.9.9.${String(1 + dice.below(9))}` }, device),
    () => cluster.knock(name, dice.below(20)),
    () => cluster.backUp(name),
    () => cluster.start(name, { fromBackup: true, clockBehind: seconds(1000) }),
    () => cluster.stall(name, milliseconds(500 * 60 ** dice.next()), dice.chance(0.5) ? 'runs on' : 'stands still'),
    () => cluster.collect(name, milliseconds(dice.between(20, 120))),
    () => cluster.setClock(name, seconds(3600 * dice.between(-10, 10))),
    () => cluster.setKernel(name, dice.chance(0.5) ? 'failing' : { slow: milliseconds(dice.exponential(300)) }),
    () => cluster.setKernel(name, 'well'),
    () => cluster.setDisk(name, dice.chance(0.5) ? 'full' : 'roomy'),
    () => cluster.forgetConnection(name, dice.pick(others)),
  ]
  dice.pick(strikes)()
}
