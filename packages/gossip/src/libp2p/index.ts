export { startDiscovery, type Discovery, type DiscoveryReport } from './discovery.ts'
export { startMesh, type Mesh, type MeshListener, type MeshOptions } from './mesh.ts'
export { parseSeed } from './seed.ts'
export { envelopeVerifier, makeIdentity, parseIdentity, privateKeyBytes, type Identity } from './signer.ts'
