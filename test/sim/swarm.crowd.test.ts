/** A mesh larger than one in which everybody is linked to everybody, with a short storm. In a file of its own, to run beside the others. */
import { swarms } from './swarm.ts'

swarms([{ members: 64, histories: 1, minutes: 0.1 }])
