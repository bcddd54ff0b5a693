import { defineConfig } from 'vitest/config'

const simulation = 'test/sim/**/*.test.ts'
const namespaces = 'test/**/*.netns.test.ts'
const storm = 'test/netns/storm.netns.test.ts'
const contract = 'test/contract/**/*.netns.test.ts'
const hostile = 'test/netns/**/*.hostile.test.ts'
const guest = 'test/guest/**/*.guest.test.ts'
/** They take minutes there, and are run where the guest is asked for by name. */
const guestLong = ['contract', 'gre', 'model', 'tunnels'].map((name) => `test/guest/${name}.guest.test.ts`)
/** A machine that a process imitates: all takes ten times as long. */
const imitated = { fileParallelism: false, testTimeout: 300_000, hookTimeout: 300_000 } as const
const openVswitch = 'test/ovs/**/*.ovs.test.ts'

export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    // Nothing is written into node_modules: a checkout may belong to another user than the one who tests it.
    cache: false,
    fsModuleCache: false,
    allowOnly: false,
    retry: 0,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [simulation, namespaces, hostile, guest, openVswitch],
          // One process for all files, which loads libp2p once: half the time. No test here changes what another sees.
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // A second one has what is left of a processor while unit tests wait, and all of it after them.
      { extends: true, test: { name: 'sim', include: [simulation], testTimeout: 600_000, maxWorkers: 2 } },
      {
        extends: true,
        test: {
          name: 'netns',
          include: [namespaces],
          exclude: [storm, contract],
          // They share one lab, whose names (the switch, the hosts) are the story's and exist once; and one process.
          fileParallelism: false,
          isolate: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      { extends: true, test: { name: 'contract', include: [contract], testTimeout: 120_000, hookTimeout: 60_000 } },
      { extends: true, test: { name: 'hostile', include: [hostile], fileParallelism: false, testTimeout: 120_000 } },
      { extends: true, test: { name: 'storm', include: [storm] } },
      { extends: true, test: { name: 'ovs', include: [openVswitch], testTimeout: 240_000 } },
      { extends: true, test: { name: 'guest', include: [guest], exclude: guestLong, ...imitated } },
      { extends: true, test: { name: 'guest-long', include: guestLong, ...imitated } },
    ],
  },
})
