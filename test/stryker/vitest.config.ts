import { defineConfig } from 'vitest/config'

/** The unit tests of one pure package, alone: a mutant that these do not catch is a survivor. */
export default defineConfig({
  test: { include: [`packages/${process.env['STRYKER_PACKAGE'] ?? 'core'}/src/*.test.ts`], testTimeout: 60_000 },
})
