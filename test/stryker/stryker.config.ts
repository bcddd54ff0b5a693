import type { PartialStrykerOptions } from '@stryker-mutator/api/core'

/** Stryker changes one thing after another in a pure package; the unit tests of the package must notice each. */
const name = process.env['STRYKER_PACKAGE'] ?? 'core'
const source = `packages/${name}/src`

const config: PartialStrykerOptions = {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'test/stryker/vitest.config.ts', related: false },
  // Its preprocessor needs an API that TypeScript 7 does not have; there is nothing in ours that it would have to change.
  tsconfigFile: 'none',
  mutate: [`${source}/*.ts`, `!${source}/*.test.ts`, `!${source}/{index,samples,wire}.ts`, `!${source}/wire.d.ts`],
  coverageAnalysis: 'perTest',
  // What is decided while a module is loaded, tables say, is met by no one test: each would take all of them.
  ignoreStatic: true,
  concurrency: 1,
  // The first run of all tests may meet a machine that is busy.
  dryRunTimeoutMinutes: 60,
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, reportTests: false },
  jsonReporter: { fileName: `stryker-${name}.log` },
  tempDirName: '.stryker-tmp',
  thresholds: { high: 90, low: 90, break: 90 },
}
export default config
