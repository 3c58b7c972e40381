import type { MapsRoute, PartitionedMaps } from '../../collections/partitioned-maps.ts'
import type { Emitter } from '../../changes/emitter.ts'
import type { GridEvents } from '../../lifecycle/event-reporter.ts'
import type { Teardown } from '../../lifecycle/teardown.ts'
import type { GuestStatus, GuestsStatus } from '../../runtime/guest-status.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { WriteOverlay } from '../../runtime/write-path.ts'
import type { GridSignals, SignalsRoute } from '../../signals/grid-signals.ts'
import type { PassOffice } from '../passes/pass-office.ts'

/** Closing waits so long for the last messages to guests. */
const CLOSE_MAX_MS = 4000

/** The link of a guest to its members. */
export interface GuestLinkFace {
  readonly overlay: WriteOverlay
  readonly route: SignalsRoute
  readonly maps: MapsRoute
  start(): void
  status(): GuestStatus
  close(): Promise<void>
}

/** What a grid has to do with guests, as its environment makes it. All of it is loaded where it is used. */
export interface GuestFaceDeps {
  /** Undefined where no pass can be issued: in a tab, at a guest, and without a secret. */
  readonly openOffice?: ((runtime: Runtime) => Promise<PassOffice>) | undefined
  /** Undefined for a peer that serves no guests. */
  readonly serve?:
    | ((
        runtime: Runtime,
        office: PassOffice,
        signals: GridSignals,
        maps: PartitionedMaps,
      ) => Promise<{ status(): GuestsStatus; close(): Promise<void> }>)
    | undefined
  /** For a guest only. */
  readonly link?: ((hooks: GuestLinkInput) => GuestLinkFace) | undefined
}

/** What the link of a guest calls. */
export interface GuestLinkInput {
  readonly runtime: Runtime
  readonly signals: GridSignals
  readonly maps: PartitionedMaps
  exchanged(): void
  refused(refused: GridEvents['refused']): void
}

/** Makes what a grid has to do with guests. */
export type OpenGuestFace = (input: Omit<GuestLinkInput, 'refused'>, events: Emitter<GridEvents>) => GuestFace

/** The guests of a member; or what makes a grid one of a guest. */
export class GuestFace {
  readonly #deps: GuestFaceDeps
  readonly #runtime: Runtime
  readonly #signals: GridSignals
  readonly #maps: PartitionedMaps
  readonly #link: GuestLinkFace | undefined
  #office: Promise<PassOffice> | undefined
  #service: { status(): GuestsStatus } | undefined

  /** `exchanged` is called whenever a guest has all that its pass covers. */
  constructor(
    deps: GuestFaceDeps,
    { exchanged, maps, runtime, signals }: Omit<GuestLinkInput, 'refused'>,
    events: Emitter<GridEvents>,
  ) {
    this.#deps = deps
    this.#runtime = runtime
    this.#signals = signals
    this.#maps = maps
    const link = deps.link?.({
      runtime,
      signals,
      maps,
      exchanged,
      refused: (refused) => events.emit('refused', refused),
    })
    this.#link = link
    if (link === undefined) return
    runtime.writes.overlay = link.overlay
    signals.route = link.route
    maps.route = link.maps
    runtime.guest = () => link.status()
  }

  /** Connects a guest; begins to serve guests. */
  async start(teardown: Teardown): Promise<void> {
    const { serve } = this.#deps
    const link = this.#link
    if (link !== undefined) {
      teardown.add({ what: 'the connection to a member', limitMs: CLOSE_MAX_MS, close: () => link.close() })
      link.start()
    }
    if (serve === undefined) return
    const service = await serve(this.#runtime, (await this.office())!, this.#signals, this.#maps)
    this.#service = service
    teardown.add({ what: 'the guests', limitMs: CLOSE_MAX_MS, close: () => service.close() })
  }

  /** Undefined where no pass can be issued. */
  office(): Promise<PassOffice> | undefined {
    this.#office ??= this.#deps.openOffice?.(this.#runtime)
    return this.#office
  }

  /** The guests of this member. */
  status(): GuestsStatus | undefined {
    return this.#service?.status()
  }
}
