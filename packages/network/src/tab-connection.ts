import type { Logger, MessageStreamDirection } from '@libp2p/interface'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import type { SendResult } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'

interface TabConnectionOptions {
  /** For this connection alone. */
  readonly channel: BroadcastChannel
  readonly remoteAddr: Multiaddr
  readonly direction: MessageStreamDirection
  readonly log: Logger
}

type Word = 'accept' | 'close' | 'reset'

/** A connection to another tab: bytes, or a word, are messages of its channel. Streams above it bound what is on its way. */
export class TabConnection extends AbstractMultiaddrConnection {
  readonly #channel: BroadcastChannel
  readonly #accepted = Promise.withResolvers<void>()
  /** A tab that is closed or put aside is gone for the other one: say so while there is time. */
  readonly #onPageHide = (): void => this.abort(new Error('the page was closed'))

  constructor({ channel, ...init }: TabConnectionOptions) {
    super(init)
    this.#channel = channel
    this.#accepted.promise.catch(() => undefined)
    channel.onmessage = ({ data }: MessageEvent<Uint8Array | Word>) => this.#take(data)
    this.addEventListener('close', () => this.#over())
    globalThis.addEventListener('pagehide', this.#onPageHide)
  }

  /** Reports to the side that dialled that this tab is here. */
  accept(): void {
    this.#channel.postMessage('accept' satisfies Word)
  }

  /** Resolves when the side that was dialled is there. */
  async accepted(signal: AbortSignal): Promise<void> {
    const give = (): void => this.#accepted.reject(new Error('the tab does not answer'))
    signal.addEventListener('abort', give, { once: true })
    try {
      await this.#accepted.promise
    } finally {
      signal.removeEventListener('abort', give)
    }
  }

  override sendData(bytes: { subarray(): Uint8Array; readonly byteLength: number }): SendResult {
    this.#channel.postMessage(bytes.subarray().slice())
    return { sentBytes: bytes.byteLength, canSendMore: true }
  }

  override sendReset(): void {
    this.#channel.postMessage('reset' satisfies Word)
  }

  override async sendClose(): Promise<void> {
    this.#channel.postMessage('close' satisfies Word)
  }

  /** The streams on top have windows of their own. */
  override sendPause(): void {}

  override sendResume(): void {}

  #take(said: Uint8Array | Word): void {
    if (said === 'accept') this.#accepted.resolve()
    else if (said === 'close') this.onTransportClosed()
    else if (said === 'reset') this.onRemoteReset()
    else this.onData(said)
  }

  #over(): void {
    globalThis.removeEventListener('pagehide', this.#onPageHide)
    this.#accepted.reject(new Error('the connection is closed'))
    this.#channel.close()
  }
}
