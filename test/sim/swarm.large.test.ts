/** The larger meshes: a history of them says little that those of small ones do not, and costs much. */
import { swarms } from './swarm.ts'

const SEEDS = Number(process.env['VXMESH_SEEDS'] ?? 50)

swarms([
  { members: 8, histories: SEEDS },
  { members: 16, histories: Math.ceil(SEEDS / 15) },
  { members: 32, histories: Math.ceil(SEEDS / 30) },
  { members: 33, histories: Math.ceil(SEEDS / 30) },
])
