import type { Connection, Stream } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import { peerIdFromString } from '@libp2p/peer-id'
import { lpStream } from '@libp2p/utils'
import type { PeerId } from '@gossipgrid/core'
import { MeetingPlaces } from './meeting-places.ts'

/** By this protocol a tab asks a relay for the other tabs of its grid. A topic does not reveal the name of its grid. */
const PROTOCOL = '/gossipgrid/meet/1'
const TOPICS_MAX = 2
const ASKED_MAX_BYTES = 256
const ANSWER_MAX_BYTES = 8192
const TALK_MAX_MS = 5000

/** The relay's side, as a libp2p service. `onAsked` is called with each connection on which a question came. */
export function meetingService(
  onAsked: (connection: Connection) => void,
): (components: { registrar: Registrar }) => object {
  return ({ registrar }) => {
    const places = new MeetingPlaces()
    return {
      start: () =>
        registrar.handle(
          PROTOCOL,
          (stream, connection) => {
            answer(stream, connection, places)
              .then(() => onAsked(connection))
              .catch((error: Error) => stream.abort(error))
          },
          { maxInboundStreams: 4 },
        ),
      stop: () => registrar.unhandle(PROTOCOL),
    }
  }
}

async function answer(stream: Stream, connection: Connection, places: MeetingPlaces): Promise<void> {
  const signal = AbortSignal.timeout(TALK_MAX_MS)
  const peerId = connection.remotePeer.toString()
  const talk = lpStream(stream, { maxDataLength: ASKED_MAX_BYTES })
  const topics = new TextDecoder().decode((await talk.read({ signal })).subarray()).split('\n')
  const others = topics.slice(0, TOPICS_MAX).flatMap((topic) => places.visit(topic, peerId, performance.now()))
  connection.addEventListener('close', () => places.gone(peerId))
  await talk.write(new TextEncoder().encode([...new Set(others)].join('\n')), { signal })
  await stream.close({ signal })
}

/** Asks the other end of a connection for the other peers of these topics. Rejects if that is no relay. */
export async function askForOthers(connection: Connection, topics: readonly string[]): Promise<PeerId[]> {
  const signal = AbortSignal.timeout(TALK_MAX_MS)
  const stream = await connection.newStream(PROTOCOL, { signal })
  try {
    const talk = lpStream(stream, { maxDataLength: ANSWER_MAX_BYTES })
    await talk.write(new TextEncoder().encode(topics.slice(0, TOPICS_MAX).join('\n')), { signal })
    const found = new TextDecoder().decode((await talk.read({ signal })).subarray())
    await stream.close({ signal })
    return found === '' ? [] : found.split('\n').filter(isPeerId)
  } catch (error) {
    stream.abort(error as Error)
    throw error
  }
}

function isPeerId(text: string): boolean {
  try {
    return peerIdFromString(text).toString() === text
  } catch {
    return false
  }
}
