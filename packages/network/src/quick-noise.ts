import { noise } from '@libp2p/noise'

type NoiseFactory = ReturnType<typeof noise>
type Encrypter = ReturnType<NoiseFactory>
type LengthDecoder = (data: LengthBytes) => number

/** Bytes of several pieces, as libp2p collects them. */
interface LengthBytes {
  readonly length: number
  getUint16(at: number): number
}

/** A part of Noise's connection that its public type hides: what cuts received bytes into packets. */
interface EncryptedConnection {
  readonly decoder?: { lengthDecoder?: LengthDecoder }
}

const TOO_SHORT = new RangeError('the length of a packet is not here yet')

/**
 * Noise, without an error for each packet that comes. Its decoder reads the length of the next packet until that throws, so all
 * that is received ends in an error with a stack of its own: 10 microseconds of processor time in a busy peer, and 60 in one that
 * gets a message now and then. Here it throws one and the same error. Where libp2p has changed that part, Noise is left as it is.
 */
export function quickNoise(options: Parameters<typeof noise>[0]): NoiseFactory {
  const create = noise(options)
  return (components) => {
    const encrypter = create(components)
    const inbound: Encrypter['secureInbound'] = encrypter.secureInbound.bind(encrypter)
    const outbound: Encrypter['secureOutbound'] = encrypter.secureOutbound.bind(encrypter)
    encrypter.secureInbound = async (...parameters) => quickened(await inbound(...parameters))
    encrypter.secureOutbound = async (...parameters) => quickened(await outbound(...parameters))
    return encrypter
  }
}

function quickened<Secured extends { readonly connection: object }>(secured: Secured): Secured {
  const { decoder } = secured.connection as EncryptedConnection
  if (typeof decoder?.lengthDecoder === 'function') decoder.lengthDecoder = packetLength
  return secured
}

/** The two bytes before each packet. */
function packetLength(data: LengthBytes): number {
  if (data.length < 2) throw TOO_SHORT
  return data.getUint16(0)
}
