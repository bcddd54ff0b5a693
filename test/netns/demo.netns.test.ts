/** The first thing that anybody runs. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { outcome } from './process.ts'

test.each([[], ['--lan']])(
  'the demo tells its whole story %j',
  async (...flags) => {
    const { code, stdout, stderr } = await outcome(['node', join(import.meta.dirname, '../../scripts/demo.ts'), ...flags])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('6 of 6 entries present')
    expect(stdout).toMatch(/That is the whole story, in [0-9]+ s\.\n$/)
  },
  90_000,
)
