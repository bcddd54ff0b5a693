/**
 * Bugs to be planted, one at a time, so that it is known that the simulator can fail. `./scripts/mutate` plants them in
 * a copy and says what caught each. A text that is no longer found, or found twice, is an error.
 */
export type Histories = readonly [scenario: string, members: number, seeds: number]

export type Mutant = {
  readonly name: string
  readonly file: string
  readonly text: string
  readonly becomes: string
  /** Where it shows, if any law sees it: among as many histories, of the first seeds. */
  readonly histories: Histories
  /** Tests of its own, beside the unit tests of the file. */
  readonly tests?: readonly string[]
  /** The law, or the words of a test, that is to catch it. */
  readonly expected: string
}

const core = 'packages/core/src'
const gossip = 'packages/gossip/src'

export const mutants: readonly Mutant[] = [
  {
    name: 'one accuser is a quorum',
    file: `${core}/member.ts`,
    text: "if (silent >= bar) return { state: 'dead'",
    becomes: "if (silent >= 1) return { state: 'dead'",
    histories: ['liar', 5, 5],
    expected: 'law 3',
  },
  {
    name: 'a lone accuser need not wait',
    file: `${core}/member.ts`,
    text: 'export const LONE_ACCUSER = seconds(10)',
    becomes: 'export const LONE_ACCUSER = seconds(0.01)',
    histories: ['liar', 5, 1],
    expected: 'says when time alone will change a standing',
  },
  {
    name: 'the word of the convicted counts',
    file: `${core}/member.ts`,
    text: 'accusers(belief, testimony).filter((observer) => isCredible(view.get(observer), bar)).length',
    becomes: 'accusers(belief, testimony).length',
    histories: ['partition', 6, 1],
    expected: 'accused by who is dead itself',
  },
  {
    name: 'who left is alive',
    file: `${core}/member.ts`,
    text: "if (belief.signed.record.leaving) return { state: 'left' }",
    becomes: '',
    histories: ['leave', 4, 1],
    tests: ['test/sim/identity.test.ts'],
    expected: 'is removed at once everywhere',
  },
  {
    name: 'an older record overrides a newer',
    file: `${core}/view.ts`,
    text: 'if (order < 0) return held',
    becomes: 'if (order < 0) return heard',
    histories: ['swarm', 4, 10],
    expected: 'law 2',
  },
  {
    name: 'accusations outlive a refutation',
    file: `${core}/view.ts`,
    text: 'if (order > 0) return heard',
    becomes: 'if (order > 0) return { signed: heard.signed, accusations: held.accusations }',
    histories: ['pause', 5, 5],
    expected: 'law 3',
  },
  {
    name: 'an eviction is forgotten when somebody repeats what its subject said',
    file: `${gossip}/beliefs.ts`,
    text: 'if (isEvicted(turn.state.evictions, signed)) return false',
    becomes: '',
    histories: ['evict', 5, 10],
    expected: 'law 1',
  },
  {
    name: 'of two keys that were each to be the next the one that was heard of first holds',
    file: `${core}/lineage.ts`,
    text: 'return order(mine) <= order(theirs) ? a : b',
    becomes: 'return a',
    histories: ['rotate', 5, 10],
    expected: 'law 3',
  },
  {
    name: 'what a later key certified anew is not taken up',
    file: `${gossip}/rotation.ts`,
    text: 'if (own === undefined || reissue === undefined) return',
    becomes: 'if (own !== undefined || reissue === undefined) return',
    histories: ['rotate', 4, 3],
    expected: 'law 5',
  },
  {
    name: 'the plan removes what is foreign',
    file: `${core}/plan.ts`,
    text: 'actual.ours.has(place) && !desired.has(place)',
    becomes: '!desired.has(place)',
    histories: ['swarm', 8, 6],
    expected: 'law 4',
  },
  {
    name: 'our own address is a destination',
    file: `${core}/desired.ts`,
    text: 'if (claim.underlay === own.underlay) return `${claim.underlay} is our own underlay address`',
    becomes: '',
    histories: ['liar', 3, 10],
    expected: 'law 1',
  },
  {
    name: 'no hold at the start',
    file: `${core}/hold.ts`,
    text: 'if (!around.exchanged &&',
    becomes: 'if (around.members < 0 &&',
    histories: ['crash', 4, 20],
    expected: 'removes nothing before it has exchanged views',
  },
  {
    name: 'who hears nobody removes everybody',
    file: `${core}/hold.ts`,
    text: 'if (around.isolated)',
    becomes: 'if (around.members < 0)',
    histories: ['partition', 3, 1],
    expected: 'an isolated one removes nothing',
  },
  {
    name: 'no hold after a mass failure',
    file: `${core}/hold.ts`,
    text: 'if (massFailure(around))',
    becomes: 'if (around.members < 0)',
    histories: ['power', 6, 1],
    tests: ['test/sim/scenarios.test.ts'],
    expected: 'many at once',
  },
  {
    name: 'an accusation is never refuted',
    file: `${gossip}/beliefs.ts`,
    text: '  change(turn, { refutes: true })\n  // Whoever',
    becomes: '  // Whoever',
    histories: ['liar', 5, 5],
    expected: 'law 3',
  },
  {
    name: 'what does not verify is passed on',
    file: `${gossip}/beliefs.ts`,
    text: 'if (!opened.ok) return drop(turn, from, opened.reason, faithOf(turn.state))\n  const signed',
    becomes:
      'if (!opened.ok) {\n    forward(turn, link, from, (items) => (items.record = bytes))\n    return drop(turn, from, opened.reason)\n  }\n  const signed',
    histories: ['liar', 4, 5],
    tests: [`${gossip}/protocol.test.ts`],
    expected: 'law 2',
  },
  {
    name: 'an incarnation is announced and not written down',
    file: `${gossip}/beliefs.ts`,
    text: "turn.effects.push({ kind: 'persist', incarnation })",
    becomes: '',
    histories: ['join', 2, 1],
    expected: 'law 2',
  },
  {
    name: 'a member that lost its state stays below what it once said',
    file: `${gossip}/clone.ts`,
    text: 'if (record.incarnation < state.incarnation) return offer',
    becomes: 'if (record.incarnation > 0) return offer',
    histories: ['swarm', 4, 5],
    expected: 'law 3',
  },
  {
    name: 'nothing is said on',
    file: `${gossip}/turn.ts`,
    text: 'if (link.id === except || (except',
    becomes: 'if (link.id > 0 || (except',
    histories: ['join', 5, 1],
    tests: ['test/sim/identity.test.ts'],
    expected: 'is removed at once everywhere',
  },
  {
    name: 'silence is accused without asking others',
    file: `${gossip}/detector.ts`,
    text: 'if (watch.inquiry !== undefined && now - watch.inquiry.asked < INQUIRY) return',
    becomes: 'if (watch.heard) return testify(turn, subject)',
    histories: ['partition', 3, 1],
    tests: ['test/sim/cuts.test.ts'],
    expected: 'the third vouches',
  },
  {
    name: 'our own lag is held against others',
    file: `${gossip}/detector.ts`,
    text: 'if (turn.now - due <= OWN_LAG) return',
    becomes: 'if (turn.now >= due || turn.now < due) return',
    histories: ['pause', 5, 1],
    expected: 'is not theirs',
  },
  {
    name: 'the dead are not dialled',
    file: `${gossip}/dialling.ts`,
    text: '...(few ? dead : []), ',
    becomes: '',
    histories: ['partition', 6, 1],
    tests: ['test/sim/cuts.test.ts'],
    expected: 'dialled for ever',
  },
  {
    name: 'only neighbours are dialled after all lost power',
    file: `${gossip}/dialling.ts`,
    text: ', ...remembered(turn)]',
    becomes: ']',
    histories: ['partition', 6, 1],
    tests: ['test/sim/islands.test.ts'],
    expected: "neither is the other's neighbour",
  },
  {
    name: 'strangers at the door are remembered',
    file: `${gossip}/dialling.ts`,
    text: 'if (isSeed(target) ? !seeds.has(target) : !view.has(target) || isOut(turn, target)) continue',
    becomes: '',
    histories: ['swarm', 3, 1],
    tests: [`${gossip}/protocol.test.ts`],
    expected: 'is told nothing, and shown out',
  },
  {
    name: 'views that differ are not compared',
    file: `${gossip}/digest.ts`,
    text: 'return { offers, wants }',
    becomes: 'return { offers: [], wants: [] }',
    histories: ['partition', 4, 20],
    expected: 'law 5',
  },
  {
    name: 'of two links each end keeps its own',
    file: `${gossip}/linking.ts`,
    text: 'const weDial = turn.env.signer.peer < link.peer',
    becomes: 'const weDial = true',
    histories: ['join', 5, 1],
    tests: [`${gossip}/protocol.test.ts`],
    expected: 'the one they dialled, where theirs is',
  },
  {
    name: 'whoever connects is greeted first',
    file: `${gossip}/linking.ts`,
    text: 'if (target !== undefined) greeted(turn, id)',
    becomes: 'greeted(turn, id)',
    histories: ['join', 2, 1],
    expected: 'admission',
  },
]
