/**
 * Random histories. For a while anything may happen to anybody; then faults stop, and within a bound all must agree.
 * `VXMESH_SEEDS` says how many histories each size gets, `VXMESH_SEED` replays a single one of every size.
 */
import { milliseconds, seconds } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { Cluster, QUIET, REPLAYED } from './cluster.ts'
import { Dice } from './dice.ts'

const SEEDS = Number(process.env['VXMESH_SEEDS'] ?? 25)

/** How long faults go on. */
const STORM = seconds(60)

/** How many histories of each size: the large ones say little that the small ones do not, and cost much. */
const sizes = [
  [2, SEEDS],
  [3, 2 * SEEDS],
  [5, 2 * SEEDS],
  [8, SEEDS],
  [16, Math.ceil(SEEDS / 15)],
  [33, Math.ceil(SEEDS / 30)],
] as const

describe.each(sizes)('a mesh of %i', (size, count) => {
  const seeds = REPLAYED === undefined ? Array.from({ length: count }, (_, index) => 1000 * size + index) : [REPLAYED]
  test.each(seeds)('agrees after any history (VXMESH_SEED=%i)', (seed) => {
    expect(() => weather(size, seed)).not.toThrow()
  })
})

test.each([2, 5, 8])('one seed is one history, in a mesh of %i', (size) => {
  expect(weather(size, size).trace.digest).toBe(weather(size, size).trace.digest)
  expect(weather(size, size).trace.digest).not.toBe(weather(size, size + 1).trace.digest)
})

/** A storm, then calm. */
function weather(size: number, seed: number): Cluster {
  const dice = new Dice(seed + 0.5 * 2 ** 40)
  const names = Array.from({ length: size }, (_, index) => `m${String(index)}`)
  const rough = dice.chance(0.3)
  const cluster = new Cluster(names, {
    seed,
    adopted: dice.some(names).filter(() => dice.chance(0.3)),
    stopped: dice.some(names).filter(() => dice.chance(0.3)),
    network: {
      delay: milliseconds(dice.between(0.2, 20)),
      jitter: milliseconds(dice.between(0, 20)),
      loss: rough ? dice.between(0, 0.02) : 0,
      duplication: rough ? dice.between(0, 0.05) : 0,
      reordering: rough ? dice.between(0, 0.05) : 0,
      cuts: dice.chance(0.5) ? 'hold' : 'forget',
    },
  })
  const pace = dice.between(500, 8000)
  for (let passed = 0; passed < STORM;) {
    const calm = milliseconds(dice.exponential(pace))
    cluster.run(calm)
    passed += calm
    strike(cluster, dice)
  }
  cluster.heal()
  for (const name of names) {
    cluster.powerOn(name)
    cluster.start(name)
  }
  cluster.settle(QUIET)
  return cluster
}

/** One thing that goes wrong, or right again. */
function strike(cluster: Cluster, dice: Dice): void {
  const { names } = cluster
  const name = dice.pick(names)
  const side = dice.some(names)
  const other = names.filter((each) => !side.includes(each))
  const strikes: readonly (() => void)[] = [
    () => cluster.partition(side, other),
    () =>
      cluster.partition(
        [name],
        names.filter((each) => each !== name),
      ),
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
    () => cluster.tamper(name, 'remove all'),
    () => cluster.tamper(name, { add: `10.9.9.${String(1 + dice.below(9))}` }),
    () => cluster.knock(name, dice.below(20)),
    () => cluster.backUp(name),
    () => cluster.start(name, { fromBackup: true, clockBehind: seconds(1000) }),
  ]
  dice.pick(strikes)()
}
