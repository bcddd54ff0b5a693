import { instant, type Clock } from '@vxmesh/core'

/** The machine's monotonic clock: it neither jumps nor knows the time of day, and stands still while the machine sleeps. */
export const monotonicClock: Clock = { now: () => instant(performance.now()) }
