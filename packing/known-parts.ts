import { Visitor, parseSync } from 'vite'
import type { ESTree } from 'vite'
import { Cuts } from './cuts.ts'

/** Known facts about a module that is used in one way only. */
export interface ModuleFacts {
  /** The text of each expression that always has the same value, and that value as text. */
  readonly constants: Readonly<Record<string, string>>
  /** Statements, methods and cases of a `switch` that never run, by the start of their text. */
  readonly unused: readonly RegExp[]
}

/**
 * The text of a module without the unused parts, and with constants for the known expressions. A minifier then drops
 * the code that depends on them. Throws when a named part is missing: then the module has changed.
 */
export function usedParts(name: string, text: string, { constants, unused }: ModuleFacts): string {
  const cuts = new Cuts()
  /** True where a name is no expression: in a declaration, after a dot, as a key. */
  const names = new Set<number>()
  const missing = new Set<string | RegExp>([...Object.keys(constants), ...unused])
  const sourceOf = ({ start, end }: ESTree.Node): string => text.slice(start, end)
  const cutConstant = (node: ESTree.Node, source: string): void => {
    if (names.has(node.start) || !Object.hasOwn(constants, source)) return
    missing.delete(source)
    cuts.add(node, constants[source]!)
  }
  const expression = (node: ESTree.Node): void => cutConstant(node, sourceOf(node))
  const part = (node: ESTree.Node): void => {
    const begin = unused.find((each) => each.test(sourceOf(node)))
    if (begin === undefined) return
    missing.delete(begin)
    // A body of one statement must stay one.
    cuts.add(node, node.type === 'SwitchCase' ? '' : ';')
  }
  new Visitor({
    VariableDeclarator: ({ id }) => void names.add(id.start),
    Property: ({ key, computed }) => void (computed || names.add(key.start)),
    MemberExpression: (member) => {
      if (!member.computed) names.add(member.property.start)
      expression(member)
    },
    // A constant can be assigned nothing, not even itself.
    AssignmentExpression: (assignment) => cutConstant(assignment, sourceOf(assignment.left)),
    BinaryExpression: expression,
    CallExpression: expression,
    Identifier: expression,
    ExpressionStatement: part,
    IfStatement: part,
    ForStatement: part,
    TryStatement: part,
    FunctionDeclaration: part,
    VariableDeclaration: part,
    ExportNamedDeclaration: part,
    MethodDefinition: part,
    SwitchCase: part,
  }).visit(parseSync(name, text).program)
  if (missing.size === 0) return cuts.applied(text)
  throw new Error(`${name} is another than the one that was known here, without ${[...missing].join(' and ')}`)
}
