export { ALLOWANCE } from './allowance.ts'
export {
  ADDRESSES_MOST,
  certifyInvite,
  certifyMember,
  meshNamed,
  openEviction,
  openReissue,
  parseInvite,
  renderInvite,
  reissue,
  sealEviction,
  verifyChain,
  type ParsedInvite,
  type Trust,
} from './certificate.ts'
export { openLineage, sealSuccession } from './succession.ts'
export type { Clone } from './clone.ts'
export { evictionsDigest, rootOf } from './digest.ts'
export { places } from './graph.ts'
export { circleOf, surroundings } from './circle.ts'
export { CONTROL_MOST, encodeFrame, OVERLAY_MOST, parseFrame, sealAccusation, sealRecord, TUNNELS_MOST } from './message.ts'
export { begin, step, type Beginning, type Saved, type Step } from './protocol.ts'
export { whereabouts } from './reach.ts'
export { BEAT } from './state.ts'
export type { Content, DialFailure, Effect, Environment, Input, Link, LinkId, Seed, SeedState, State, Target } from './state.ts'
