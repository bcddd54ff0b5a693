/** What comes from others: no package without a checksum, none that runs anything when it is installed, and a list of all. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'

const root = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

// Of several documents the last is ours: the first is of pnpm itself.
const lock = z
  .object({ packages: z.record(z.string(), z.object({ resolution: z.record(z.string(), z.unknown()) })) })
  .parse(parse(read('pnpm-lock.yaml').split(/^---$/m).at(-1) ?? ''))
const { allowBuilds } = z.object({ allowBuilds: z.record(z.string(), z.boolean()) }).parse(parse(read('pnpm-workspace.yaml')))

const manifest = z.object({
  name: z.string(),
  scripts: z.record(z.string(), z.string()).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
})

const ours = ['package.json', ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/package.json`)].map((path) =>
  manifest.parse(JSON.parse(read(path))),
)

/** What is installed, each at its only place. */
function installed(): readonly z.output<typeof manifest>[] {
  const store = join(root, 'node_modules/.pnpm')
  const folders = readdirSync(store).map((name) => join(store, name, 'node_modules'))
  const packages = folders.flatMap((folder) =>
    entries(folder).flatMap(({ name }) =>
      name.startsWith('@') ? entries(join(folder, name)).map((each) => join(folder, name, each.name)) : join(folder, name),
    ),
  )
  return packages.flatMap((path) => {
    const parsed = manifest.safeParse(json(join(path, 'package.json')))
    return parsed.success ? parsed.data : []
  })
}

/** Directories alone: what is a link is at home elsewhere. */
function entries(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  } catch {
    return []
  }
}

function json(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

describe('the packages of others', () => {
  test('all have a checksum in the lock file, which names no place to get them from', () => {
    const resolutions = Object.entries(lock.packages)
    expect(resolutions.length).toBeGreaterThan(300)
    expect(
      resolutions.filter(
        ([, { resolution }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(String(resolution['integrity'])) || 'tarball' in resolution,
      ),
    ).toEqual([])
  })

  test('are asked for in one version each', () => {
    const asked = ours.flatMap(({ dependencies, devDependencies }) => Object.entries({ ...dependencies, ...devDependencies }))
    expect(asked.filter(([, version]) => !/^(\d+\.\d+\.\d+|workspace:\*)$/.test(version))).toEqual([])
  })

  test('run nothing when they are installed, but for those that are listed, of which one may', () => {
    const built = installed().filter(({ scripts }) => ['preinstall', 'install', 'postinstall'].some((each) => each in scripts))
    expect(installed().length).toBeGreaterThan(300)
    expect([...new Set(built.map(({ name }) => name))].filter((name) => !(name in allowBuilds))).toEqual([])
    expect(Object.keys(allowBuilds).filter((name) => allowBuilds[name])).toEqual(['node'])
  })
})

describe('what the daemon is made of', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vxmesh-sbom-'))
  const component = z.object({
    name: z.string(),
    group: z.string().optional(),
    version: z.string(),
    'bom-ref': z.string(),
    externalReferences: z.unknown().optional(),
  })
  const bom = z.object({
    metadata: z.object({ component }),
    components: z.array(component),
    dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()).default([]) })),
  })
  let text = ''
  beforeAll(() => {
    execFileSync(join(root, 'scripts/sbom'), [join(directory, 'sbom.cdx.json')])
    text = readFileSync(join(directory, 'sbom.cdx.json'), 'utf8')
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  test('is told as CycloneDX', async () => {
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6)
    expect(await validator.validate(text)).toBeNull()
    expect(await validator.validate(text.replace('"components"', '"parts"'))).not.toBeNull()
  })

  test('has all that our packages ask for, with checksums, and nothing that is only for its making', () => {
    const { components, metadata, dependencies } = bom.parse(JSON.parse(text))
    const told = new Map(components.map((each) => [each.group === undefined ? each.name : `${each.group}/${each.name}`, each]))
    const asked = ours.filter(({ name }) => name.startsWith('@vxmesh/')).flatMap((each) => Object.entries(each.dependencies))
    expect(metadata.component.name).toBe('daemon')
    expect(asked.filter(([name, version]) => !told.has(name) && version !== 'workspace:*')).toEqual([])
    expect(['vitest', 'fast-check', 'typescript'].filter((name) => told.has(name))).toEqual([])
    const foreign = [...told].filter(([name]) => !name.startsWith('@vxmesh/'))
    expect(foreign.filter(([, each]) => !/"SHA-512","content":"[0-9a-f]{128}"/.test(JSON.stringify(each.externalReferences)))).toEqual([])
    const refs = new Set([metadata.component['bom-ref'], ...components.map((each) => each['bom-ref'])])
    expect(dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]).filter((ref) => !refs.has(ref))).toEqual([])
  })
})
