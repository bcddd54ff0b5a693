/** The state files of a simulated host, and what its daemon knows of them: on a full disk that is more than they hold. */
import { EMPTY_VIEW, FIRST_KEY, NO_EVICTIONS, type Admission, type Evictions, type Lineage, type Slot, type View } from '@vxmesh/core'
import type { Saved } from '@vxmesh/gossip'

/** What survives a crash: the state, written at every change of it, and the view, in a file of its own. */
export type Files = {
  readonly incarnation: number
  readonly written: ReadonlySet<Slot>
  readonly claimedAt: number | undefined
  readonly evictions: Evictions
  readonly lineage: Lineage
  /** What it was certified by anew; undefined: it comes by its first invite. */
  readonly admission: Admission | undefined
  readonly former: Admission | undefined
  readonly view: View
}

const NO_FILES: Files = {
  incarnation: 0,
  written: new Set(),
  claimedAt: undefined,
  evictions: NO_EVICTIONS,
  lineage: FIRST_KEY,
  admission: undefined,
  former: undefined,
  view: EMPTY_VIEW,
}

export class Disk {
  /** Nothing can be written; who tries goes on without. */
  full = false
  #files = NO_FILES
  #known = NO_FILES
  #backup = NO_FILES

  get known(): Files {
    return this.#known
  }

  /** A daemon starts, from whatever files it finds. */
  open(files: 'as they are' | 'lost' | 'restored'): void {
    if (files !== 'as they are') this.#files = files === 'lost' ? NO_FILES : this.#backup
    this.#known = this.#files
  }

  /** False when it was not written down. */
  keep(parts: Partial<Omit<Files, 'view'>>): boolean {
    this.#known = { ...this.#known, ...parts }
    if (!this.full) this.#files = { ...this.#known, view: this.#files.view }
    return !this.full
  }

  saveView(view: View): boolean {
    this.#known = { ...this.#known, view }
    if (!this.full) this.#files = { ...this.#files, view }
    return !this.full
  }

  /** Somebody copies the files. */
  backUp(view: View): void {
    this.#backup = { ...this.#files, view }
  }
}

/** What is known of the mesh, as it is written. */
export function envelopes({ view, evictions }: Files): Saved {
  const beliefs = [...view.values()]
  return {
    evictions: [...evictions.values()].map(({ bytes }) => bytes),
    records: beliefs.map((belief) => belief.signed.bytes),
    reissues: beliefs.flatMap(({ reissue }) => reissue?.bytes ?? []),
    accusations: beliefs.flatMap((belief) => [...belief.accusations.values()].map((accusation) => accusation.bytes)),
  }
}
