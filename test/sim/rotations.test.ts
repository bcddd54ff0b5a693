/** Stories of a mesh whose key is rotated. */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { Cluster } from './cluster.ts'

const names = ['a', 'b', 'c', 'd', 'e']

/** Which rotation the certificates of all are of, as one sees them. */
function generations(cluster: Cluster, by: string): ReadonlySet<number> {
  const { state } = cluster.host(by)
  return new Set([...(state?.view.values() ?? [])].map(({ signed }) => signed.admission.issuer.generation))
}

function keyAt(cluster: Cluster, name: string): string | undefined {
  return cluster.host(name).state?.lineage.at(-1)?.to
}

test('all take a new key up within a few round trips, and nobody loses an entry for it', () => {
  const cluster = new Cluster(names, { seed: 300 })
  cluster.run(seconds(5))
  const removals = names.map((name) => cluster.host(name).removals.length)
  cluster.rotate('a')
  cluster.certify('a')
  cluster.run(seconds(0.5))
  for (const name of names) expect(generations(cluster, name)).toEqual(new Set([1]))
  expect(names.map((name) => cluster.host(name).removals.length)).toEqual(removals)
  cluster.settle()
})

test('a member that is away meanwhile, and one that lost its state, take it up when they are back', () => {
  const cluster = new Cluster(names, { seed: 301 })
  cluster.run(seconds(5))
  cluster.kill('d')
  cluster.partition(['e'], ['a', 'b', 'c'])
  cluster.rotate('a')
  cluster.certify('a')
  cluster.run(seconds(10))
  expect(keyAt(cluster, 'e')).toBeUndefined()
  cluster.heal()
  cluster.start('d', { withoutState: true })
  cluster.run(seconds(20))
  for (const name of names) expect(generations(cluster, name)).toEqual(new Set([1]))
  cluster.settle()
})

test('a newcomer is let in by the former key, and certified anew when the rotation goes on', () => {
  const cluster = new Cluster(names, { seed: 302 })
  cluster.run(seconds(5))
  cluster.rotate('a')
  cluster.certify('a')
  cluster.run(seconds(1))
  cluster.join('f')
  cluster.run(seconds(5))
  expect(generations(cluster, 'b')).toEqual(new Set([1, 0]))
  cluster.certify('c')
  cluster.run(seconds(1))
  expect(generations(cluster, 'f')).toEqual(new Set([1]))
  cluster.settle()
})

test('of two operators in two halves one has the key that holds, everywhere, and both are told', () => {
  const cluster = new Cluster(names, { seed: 303 })
  cluster.run(seconds(5))
  cluster.partition(['a', 'b'], ['c', 'd', 'e'])
  for (const by of ['a', 'c']) {
    cluster.rotate(by)
    cluster.certify(by)
  }
  cluster.run(seconds(5))
  const keys = [keyAt(cluster, 'a') ?? '', keyAt(cluster, 'c') ?? ''].toSorted()
  expect(new Set(keys).size).toBe(2)
  cluster.heal()
  cluster.run(seconds(30))
  expect(names.map((name) => keyAt(cluster, name))).toEqual(names.map(() => keys[0]))
  expect(['a', 'c'].map((name) => cluster.host(name).state?.contested)).toEqual([keys[1], keys[1]])
  cluster.certify('b')
  cluster.run(seconds(1))
  for (const name of names) expect(generations(cluster, name)).toEqual(new Set([1]))
  cluster.settle()
})

test('what the key that loses did meanwhile: its revocation holds everywhere, who took it up is a member by the former key again', () => {
  const [one, other] = [
    ['a', 'b', 'c', 'd'],
    ['e', 'f', 'g', 'h'],
  ] as const
  const cluster = new Cluster([...one, ...other], { seed: 304 })
  cluster.run(seconds(5))
  cluster.partition(one, other)
  for (const by of [one[0], other[0]]) {
    cluster.rotate(by)
    cluster.certify(by)
  }
  cluster.run(seconds(5))
  const [, loser] = [one, other].toSorted(([a], [b]) => (keyAt(cluster, a)! < keyAt(cluster, b)! ? -1 : 1))
  const [operator, revoked, again, silent] = loser!
  cluster.evict(revoked, operator)
  cluster.kill(again)
  cluster.run(seconds(1))
  cluster.start(again)
  cluster.run(seconds(5))
  cluster.powerOff(silent)
  cluster.heal()
  cluster.run(seconds(30))
  const rest = [...one, ...other].filter((name) => name !== revoked && name !== silent)
  const states = () => rest.map((name) => cluster.host(name).state!)
  expect(states().map(({ evictions }) => evictions.size)).toEqual(rest.map(() => 1))
  expect(new Set(states().map(({ root }) => String(root))).size).toBe(1)
  expect(states().map(({ shunned }) => shunned.size)).toEqual(rest.map(() => 0))
  cluster.certify(rest[0]!)
  cluster.run(seconds(1))
  const others = states().flatMap(({ view }) => [...view.values()].filter(({ evicted }) => !evicted))
  expect(others.filter(({ signed }) => signed.admission.issuer.generation < 0)).toEqual([])
  cluster.settle()
})
