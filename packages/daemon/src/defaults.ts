/** What a flag is when it is not given; all of it suits root on a real host. */
export const DEFAULTS = {
  stateDir: '/var/lib/vxmesh',
  control: '/run/vxmesh/control.sock',
  mode: 'vxlan',
  /** TCP, for libp2p: the one before VXLAN's own 4789. */
  port: '4788',
  logLevel: 'info',
  guard: 'off',
  kernel: 'iproute2',
} as const

/** Where the socket that only tells is: status.sock beside control.sock, and named after it where that is named otherwise. */
export function statusSocket(control: string): string {
  return control.endsWith('control.sock') ? control.replace(/control\.sock$/, 'status.sock') : `${control}.status`
}
