import { seconds } from '@vxmesh/core'
import { Cluster } from './cluster.ts'
const N = Number(process.argv[2])
const t0 = performance.now()
const names = Array.from({ length: N }, (_, i) => `m${i}`)
const c = new Cluster(names, {
  seed: 1,
  formed: true,
  kernels: N > 300 ? 'imagined' : 'simulated',
  lawsEvery: Math.max(1, Math.floor(N / 16)),
})
console.log('formed', performance.now() - t0)
for (let i = 0; i < Number(process.argv[3] ?? 4); i++) {
  const t = performance.now()
  const s = c.laws.steps
  c.run(seconds(1))
  console.log(
    '1 s',
    Math.round(performance.now() - t),
    c.laws.steps - s,
    'links',
    c.hosts.reduce((n, h) => n + [...h.state!.links.values()].filter((l) => l.phase === 'open').length, 0) / N,
    'mem',
    Math.round(process.memoryUsage().rss / 1e6),
    'us/step',
    (1000 * (performance.now() - t)) / (c.laws.steps - s),
  )
}
