/** What a flag is when it is not given; all of it suits root on a real host. */
export const DEFAULTS = {
  stateDir: '/var/lib/vxmesh',
  control: '/run/vxmesh/control.sock',
  mode: 'vxlan',
  /** TCP, for libp2p: the one before VXLAN's own 4789. */
  port: '4788',
  logLevel: 'info',
  kernel: 'iproute2',
} as const
