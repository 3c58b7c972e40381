import { Session } from 'node:inspector'
import type { Runtime } from 'node:inspector'

/** The mark of a deleted slot in the length column of core's entry table. */
const DELETED = 0xffffffff

/**
 * Makes a peer lose one entry of a partition without noticing: no tombstone is counted, no fingerprint changes, nothing is logged. The
 * grid has no API for that, and should not get one for a demo. So this attaches a debugger to its own process and
 * overwrites the private column with the length of the value.
 */
export function dropEntry(partition: object, key: string): void {
  const session = new Session()
  session.connect()
  try {
    const table = call(session, idOf(session, partition), 'function () { return this.replica.table }')
    const slot = call(session, table, 'function (key) { return this.slotOf(key) }', key)
    if (slot.value === undefined) throw new Error(`there is no entry '${key}' to drop`)
    const lengths = privateField(session, table, '#length')
    call(session, lengths, 'function (slot, length) { this[slot] = length }', slot.value, DELETED)
  } finally {
    session.disconnect()
  }
}

/** A debugger's reference to an object of this process, passed through a global for a moment. */
function idOf(session: Session, object: object): Runtime.RemoteObject {
  const desk = globalThis as { gossipgridSabotage?: object }
  desk.gossipgridSabotage = object
  try {
    return post(session, 'Runtime.evaluate', { expression: 'globalThis.gossipgridSabotage' }).result
  } finally {
    delete desk.gossipgridSabotage
  }
}

function privateField(session: Session, object: Runtime.RemoteObject, name: string): Runtime.RemoteObject {
  const { privateProperties } = post(session, 'Runtime.getProperties', { objectId: object.objectId })
  const field = privateProperties?.find((property) => property.name === name)?.value
  if (field === undefined) throw new Error(`no private field ${name} in ${object.className}`)
  return field
}

function call(
  session: Session,
  object: Runtime.RemoteObject,
  functionDeclaration: string,
  ...args: unknown[]
): Runtime.RemoteObject {
  return post(session, 'Runtime.callFunctionOn', {
    objectId: object.objectId,
    functionDeclaration,
    arguments: args.map((value) => ({ value })),
  }).result
}

interface Answers {
  'Runtime.evaluate': Runtime.EvaluateReturnType
  'Runtime.getProperties': Runtime.GetPropertiesReturnType & { privateProperties?: Runtime.PropertyDescriptor[] }
  'Runtime.callFunctionOn': Runtime.CallFunctionOnReturnType
}

/** A debugger in its own process answers at once. */
function post<Method extends keyof Answers>(session: Session, method: Method, parameters: object): Answers[Method] {
  let failure: Error | null = null
  let answer: Answers[Method] | undefined
  session.post(method, parameters, (error: Error | null, result?: object) => {
    failure = error
    answer = result as Answers[Method] | undefined
  })
  if (failure !== null || answer === undefined) throw new Error(`the debugger refused ${method}`, { cause: failure })
  return answer
}
