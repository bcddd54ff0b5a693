/** The small meshes, of which many histories are cheap. `VXMESH_SEEDS` says how many, in the measure of the larger ones. */
import { expect, test } from 'vitest'
import { history, swarms } from './swarm.ts'

const SEEDS = Number(process.env['VXMESH_SEEDS'] ?? 50)

swarms([
  { members: 2, histories: 4 * SEEDS },
  { members: 3, histories: 4 * SEEDS },
  { members: 5, histories: 4 * SEEDS },
])

test.each([2, 5, 8])('one seed is one history, in a mesh of %i', (size) => {
  expect(history(size, size).trace.digest).toBe(history(size, size).trace.digest)
  expect(history(size, size).trace.digest).not.toBe(history(size, size + 1).trace.digest)
})
