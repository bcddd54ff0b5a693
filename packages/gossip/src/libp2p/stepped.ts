/** Members to test the protocol with: real keys and certificates, stepped by hand. */
import { instant, parseIncarnation, parseMemberName, parseMeshId, sure, wallTime, type Bytes, type PeerId } from '@vxmesh/core'
import { certifyInvite, certifyMember, verifyChain } from '../certificate.ts'
import { openLineage } from '../succession.ts'
import { encodeFrame, openRecord, parseFrame, sealRecord, type Frame } from '../message.ts'
import { begin, step, type Beginning } from '../protocol.ts'
import { isSeed, type Effect, type Environment, type Input, type Seed, type State } from '../state.ts'
import { envelopeVerifier, makeIdentity, type Identity } from './signer.ts'

export function seedAt(text: string): Seed {
  const target: string = text
  const isText = (each: string): each is Seed => each === text
  if (!isText(target) || !isSeed(target)) throw new Error('not a seed')
  return target
}

const keys = (await Promise.all(Array.from({ length: 7 }, makeIdentity))).toSorted((one, other) => (one.peer < other.peer ? -1 : 1))

function key(index: number): Identity {
  const identity = keys[index]
  if (identity === undefined) throw new Error('no such key')
  return identity
}

/** Four members, in the order of their peer ids. */
export const [a, b, c, d] = [key(0), key(1), key(2), key(3)]
export const inviteIdentity = key(5)
export const meshKey = key(4)
/** A key that nobody admitted. */
export const stranger = key(6)

export const mesh = sure(parseMeshId(meshKey.peer))
export const trust = { mesh, verifier: envelopeVerifier }
const certificate = certifyInvite(meshKey, inviteIdentity.peer)
export const content = { name: sure(parseMemberName('host')), enforces: '', control: [], tunnels: [] }
export const start = sure(parseIncarnation(100))
export const SEED = seedAt('192.0.2.1')

/** What the keys of the mesh that came later certified: nobody knows them unless told. */
export const [secondKey, thirdKey, otherKey] = await Promise.all([makeIdentity(), makeIdentity(), makeIdentity()])

/** These keys one after the other, as everybody can verify it. */
export const lineageOf = (...words: readonly Bytes[]) => sure(openLineage(trust, words))

export const chainOf = (peer: PeerId) => certifyMember(mesh, inviteIdentity, certificate, peer)
export const admissionOf = (peer: PeerId) => sure(verifyChain(trust, chainOf(peer)))
export const recordOf = (of: Identity, incarnation = start, leaving = false) =>
  sealRecord(mesh, of, admissionOf(of.peer), { ...content, bootId: '1', incarnation, leaving })

/** What it starts from, and is a member by. */
type Before = Partial<Pick<Beginning, 'saved' | 'lineage' | 'fallback'> & Pick<Environment, 'admission'>>

/** A member that is stepped by hand, and what it did in its last step. */
export class Stepped {
  state: State
  effects: readonly Effect[]
  now = 1000
  /** How far the wall clock is ahead of the other. */
  ahead = 0
  readonly #env: Environment

  constructor(self: Identity, seeds: readonly Seed[] = [], bootId = '1', before: Before = {}) {
    this.#env = {
      trust,
      signer: self,
      admission: before.admission ?? admissionOf(self.peer),
      bootId,
      random: () => 0.5,
      wall: () => wallTime(this.now + this.ahead),
    }
    const { state, effects } = begin(
      { content, above: start, seeds, saved: { records: [], accusations: [], evictions: [] }, ...before },
      instant(this.now),
      this.#env,
    )
    this.state = state
    this.effects = effects
  }

  take(input: Input, wait = 1): this {
    this.now += wait
    const { state, effects } = step(this.state, input, instant(this.now), this.#env)
    this.state = state
    this.effects = effects
    return this
  }

  frame(link: number, frame: Frame): this {
    return this.take({ kind: 'frame', link, bytes: encodeFrame(frame) })
  }

  /** Waits as long, waking whenever it asked to be. */
  wait(duration: number): readonly Effect[] {
    const end = this.now + duration
    const effects: Effect[] = []
    while (!this.state.left && this.state.due <= end)
      effects.push(...this.take({ kind: 'tick' }, Math.max(0, this.state.due - this.now)).effects)
    this.now = end
    return effects
  }

  /** A link over which a peer has been admitted and has told of itself. */
  meet(link: number, peer: Identity, dialled?: Seed): this {
    this.take({ kind: 'linked', link, peer: peer.peer, dialled })
    return this.frame(link, { hello: chainOf(peer.peer) }).frame(link, { records: [recordOf(peer).bytes] })
  }

  sent(effects = this.effects): readonly { readonly link: number; readonly frame: Frame; readonly bytes: Bytes }[] {
    return effects.flatMap((effect) =>
      effect.kind === 'send' ? [{ link: effect.link, frame: sure(parseFrame(effect.bytes)), bytes: effect.bytes }] : [],
    )
  }

  kinds(): readonly string[] {
    return this.effects.map((effect) => effect.kind)
  }
}

export const incarnationsIn = (frames: readonly { readonly frame: Frame }[]) =>
  frames.flatMap(({ frame }) => (frame.records ?? []).map((bytes) => sure(openRecord(trust, bytes, () => undefined)).record.incarnation))
