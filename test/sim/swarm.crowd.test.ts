/**
 * Meshes larger than one in which everybody is linked to everybody, with a short storm: that of 256 takes three minutes of a
 * processor, nearly all to form and to agree. In a file of its own, to run beside the others.
 */
import { swarms } from './swarm.ts'

swarms([
  { members: 256, histories: 1, minutes: 0.2 },
  { members: 64, histories: 2, minutes: 0.4 },
])
