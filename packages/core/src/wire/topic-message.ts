import { scanCbor } from '../bytes/cbor-scanner.ts'
import { GridError } from '../errors.ts'
import type { Fields } from './fields.ts'
import { NAME_MAX_BYTES, TOPIC_MESSAGES_MAX, TOPIC_MESSAGE_MAX_BYTES } from '../limits.ts'

/** One message of a topic. */
export interface TopicMessage {
  readonly topic: string
  /** The message as CBOR. */
  readonly value: Uint8Array
  /** The guest that has published it, as the member that broadcasts it vouches. Undefined for a message of a member. */
  readonly subject?: string
}

/** Reads the messages that a peer published. Throws `MESSAGE_MALFORMED`. */
export function readTopicMessages(fields: Fields): TopicMessage[] {
  return fields.list('messages', TOPIC_MESSAGES_MAX).map((message) => {
    const topic = message.text('topic', NAME_MAX_BYTES)
    const value = message.bytes('value')
    if (topic === '' || !topic.isWellFormed()) throw new GridError('MESSAGE_MALFORMED', 'a topic without a name')
    if (value.length > TOPIC_MESSAGE_MAX_BYTES) {
      throw new GridError('MESSAGE_MALFORMED', `a message of ${value.length} bytes in topic '${topic}'`)
    }
    scanCbor(value)
    return message.has('subject')
      ? { topic, value, subject: message.text('subject', NAME_MAX_BYTES) }
      : { topic, value }
  })
}
