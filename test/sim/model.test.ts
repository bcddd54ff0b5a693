/** The simulator's own machinery: what it models is there, and takes as long as it should. */
import { milliseconds, seconds, type Duration } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { Attention } from './attention.ts'
import { HostClock } from './clock.ts'
import { Cluster, type ClusterOptions } from './cluster.ts'
import { Dice } from './dice.ts'
import { accuseEverybody } from './lies.ts'
import { Schedule } from './schedule.ts'
import { Trace } from './trace.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'
const C = '10.0.0.3'

describe('a processor', () => {
  /** When jobs that take 2 ms each, and come at these times, are done. */
  function begun(times: readonly number[], around: (attention: Attention, schedule: Schedule) => void = () => {}): readonly number[] {
    const schedule = new Schedule()
    const attention = new Attention(schedule)
    const at: number[] = []
    around(attention, schedule)
    for (const time of times)
      schedule.in(milliseconds(time), () =>
        attention.take(() => {
          at.push(schedule.now)
          return milliseconds(2)
        }),
      )
    schedule.run(seconds(1))
    return at
  }

  test('does at once what comes while it is free, and the rest in order', () => {
    expect(begun([0, 1, 1, 9])).toEqual([0, 2, 4, 9])
  })

  test('does nothing while it collects garbage', () => {
    const during = (attention: Attention, schedule: Schedule) => schedule.in(milliseconds(1), () => attention.occupy(milliseconds(50)))
    expect(begun([0, 3, 4, 100], during)).toEqual([0, 52, 54, 100])
  })

  test('does nothing while it is stopped, and then what waited', () => {
    const during = (attention: Attention, schedule: Schedule) => {
      schedule.in(milliseconds(1), () => attention.pause())
      schedule.in(milliseconds(20), () => attention.resume())
    }
    expect(begun([0, 3, 5, 21])).toEqual([0, 3, 5, 21])
    expect(begun([0, 3, 5, 21], during)).toEqual([0, 20, 22, 24])
  })
})

describe('clocks', () => {
  test('are a little off, and never the same for two hosts', () => {
    const schedule = new Schedule()
    const dice = new Dice(1)
    const readings = [1, 2].map(() => {
      const clock = new HostClock(dice)
      clock.start(schedule.now)
      const first = clock.now(schedule.now)
      schedule.run(seconds(1000))
      return clock.now(schedule.now) - first
    })
    for (const passed of readings) expect(Math.abs(passed - 1_000_000)).toBeLessThanOrEqual(200)
    expect(readings[0]).not.toBe(readings[1])
  })

  test('that stand still with their machine do not know of the time that passed', () => {
    const schedule = new Schedule()
    const clock = new HostClock(new Dice(1))
    clock.start(schedule.now)
    const first = clock.now(schedule.now)
    schedule.run(seconds(10))
    clock.stoodStill(seconds(10))
    expect(clock.now(schedule.now)).toBeCloseTo(first, 3)
  })

  test('on the wall are set back by hours: a daemon that starts again says no incarnation twice', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 1 })
    cluster.run(seconds(5))
    const before = cluster.incarnation('c')
    cluster.setClock('c', seconds(-7200))
    cluster.kill('c')
    cluster.start('c')
    cluster.run(seconds(2))
    expect(cluster.incarnation('c')).toBeGreaterThan(before)
    cluster.settle()
  })
})

describe('a network', () => {
  /** How long after a move of the last host all others reach it there. */
  function moved(options: Partial<ClusterOptions>, seed = 7): Duration {
    const cluster = new Cluster(['a', 'b', 'c'], { seed, ...options })
    cluster.run(seconds(20))
    const from = cluster.now
    cluster.move('c', '10.0.0.99')
    while (!['a', 'b'].every((name) => cluster.reaches(name).some((address) => address === '10.0.0.99'))) cluster.run(milliseconds(0.1))
    return milliseconds(cluster.now - from)
  }

  test('in one place carries a word in less than a few milliseconds', () => {
    expect(moved({})).toBeLessThan(3)
  })

  test('between far sites takes as long as the light does', () => {
    const far = { sites: { a: 'here', b: 'there', c: 'elsewhere' }, network: { far: [milliseconds(75)] } }
    expect(moved(far)).toBeGreaterThan(75)
    expect(moved(far)).toBeLessThan(95)
  })

  test('that drops segments delays them and what follows, and loses nothing', () => {
    const times = Array.from({ length: 20 }, (_, seed) => moved({ network: { drops: 0.4 } }, seed))
    expect(times.filter((time) => time > 100).length).toBeGreaterThan(3)
    expect(Math.max(...times)).toBeLessThan(60_000)
  })

  test('that is bad for a moment now and then is no reason to remove anybody', () => {
    const names = Array.from('abcdef')
    const cluster = new Cluster(names, {
      seed: 9,
      network: { bursts: { every: seconds(10), last: seconds(1), drops: 0.5 } },
      garbage: { every: seconds(3) },
    })
    cluster.run(seconds(120))
    for (const name of names) expect(cluster.removed(name)).toEqual([])
    cluster.settle()
  })

  test('that forgets a connection, one way, is found out, and the two connect again', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 10 })
    cluster.run(seconds(5))
    const links = () => [...(cluster.host('b').state?.links.keys() ?? [])].toSorted((one, other) => one - other)
    const before = links()
    cluster.forgetConnection('a', 'b')
    cluster.run(seconds(10))
    expect(links()).toHaveLength(2)
    expect(links()).not.toEqual(before)
    for (const name of cluster.names) expect(cluster.removed(name)).toEqual([])
    cluster.settle()
  })
})

describe('a machine', () => {
  test('that stands still with its clock is missed, and is back when it goes on', () => {
    const cluster = new Cluster(Array.from('abcd'), { seed: 11 })
    cluster.run(seconds(5))
    cluster.stall('b', seconds(20), 'stands still')
    cluster.run(seconds(10))
    expect(cluster.reaches('a')).not.toContain(B)
    cluster.run(seconds(20))
    for (const name of cluster.names) expect(cluster.reaches(name)).toHaveLength(3)
    expect(cluster.removed('b')).toEqual([])
    cluster.settle()
  })

  test('whose disk is full runs on, and starts again from what was there before', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 12 })
    cluster.run(seconds(5))
    cluster.setDisk('c', 'full')
    const written = cluster.host('c').disk.known.incarnation
    cluster.move('c', '10.0.0.99')
    cluster.run(seconds(5))
    expect(cluster.reaches('a')).toEqual([B, '10.0.0.99'])
    expect(cluster.host('c').disk.known.incarnation).toBeGreaterThan(written)
    cluster.kill('c')
    cluster.host('c').disk.open('as they are')
    expect(cluster.host('c').disk.known.incarnation).toBe(written)
    cluster.setClock('c', seconds(-3600))
    cluster.start('c')
    cluster.run(seconds(2))
    expect(cluster.reaches('a')).toEqual([B, '10.0.0.99'])
    cluster.setDisk('c', 'roomy')
    cluster.settle()
  })

  test('whose kernel refuses is tried again, and has all entries soon after it works', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 13 })
    cluster.run(seconds(5))
    cluster.setKernel('a', 'failing')
    cluster.tamper('a', 'remove all')
    cluster.run(seconds(30))
    cluster.setKernel('a', 'well')
    cluster.run(seconds(6))
    expect(cluster.reaches('a')).toEqual([B, C])
    cluster.settle()
  })

  test('whose kernel is slow has its entries later', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 14 })
    cluster.run(seconds(5))
    cluster.setKernel('a', { slow: seconds(1) })
    cluster.tamper('a', { remove: C })
    cluster.run(milliseconds(900))
    expect(cluster.reaches('a')).toEqual([B])
    cluster.run(milliseconds(200))
    expect(cluster.reaches('a')).toEqual([B, C])
    cluster.settle()
  })
})

describe('a liar', () => {
  test('that passes nothing on keeps nothing from anybody', () => {
    const cluster = new Cluster(Array.from('abcde'), { seed: 15 })
    cluster.run(seconds(5))
    cluster.muzzle('b')
    cluster.move('c', '10.0.0.99')
    cluster.powerOff('d')
    cluster.run(seconds(5))
    for (const name of ['a', 'e']) expect(cluster.reaches(name)).toContain('10.0.0.99')
    expect(cluster.reaches('a')).not.toContain('10.0.0.4')
  })

  test('that accuses everybody every millisecond for a second evicts nobody, and all come to agree', () => {
    const LIAR = '10.0.0.2'
    const cluster = new Cluster(Array.from('abcde'), { seed: 16 })
    cluster.run(seconds(5))
    const repent = cluster.corrupt('b', accuseEverybody, milliseconds(1))
    cluster.run(seconds(1))
    repent()
    // It was cut off meanwhile, for a minute.
    cluster.run(seconds(70))
    cluster.settle()
    for (const name of cluster.names) expect(cluster.removed(name).filter((address) => address !== LIAR)).toEqual([])
    for (const name of ['a', 'c', 'd', 'e']) expect(cluster.reaches(name)).toEqual(expect.arrayContaining([LIAR]))
    expect(cluster.reaches('c')).toContain(A)
  })
})

test('a law that breaks shows the last minute, no more than 400 lines of it, between two lines that say how to have it again', () => {
  const cluster = new Cluster(['a', 'b'], { seed: 1, replay: 'the command' })
  const short = complaint(cluster)
  expect(short.split('\n').slice(0, 2)).toEqual(['law 3 is broken by a at 0.000 s: for once', 'again: the command'])
  expect(short).toMatch(/\n {4}0\.000 {2}a {6}starts\n/)
  expect(short.endsWith('\nagain: the command')).toBe(true)
  for (let count = 0; count < 1000; count++) cluster.trace.note(cluster.now, 'a', 'says something')
  const long = complaint(cluster)
  expect(long).toMatch(/\nThe last minute, but for its first \d+ lines:\n/)
  expect(long.split('\n')).toHaveLength(404)
  cluster.run(seconds(120))
  cluster.kill('b')
  expect(complaint(cluster)).not.toContain('says something')
})

test('a trace is a digest of all that was noted', () => {
  const digest = (...lines: readonly string[]) => {
    const trace = new Trace()
    for (const line of lines) trace.note(new Schedule().now, 'a', line)
    return trace.digest
  }
  expect(digest('one', 'two')).toBe(digest('one', 'two'))
  expect(digest('one', 'two')).not.toBe(digest('two', 'one'))
})

function complaint(cluster: Cluster): string {
  try {
    return cluster.laws.broken(cluster.host('a'), 'law 3', 'for once')
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
}
