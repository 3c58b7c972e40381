import { execFileSync } from 'node:child_process'

/** Runs `ip` or `tc`. */
function run(program: 'ip' | 'tc', ...args: readonly string[]): void {
  execFileSync(program, args, { timeout: 60_000, stdio: ['ignore', 'ignore', 'pipe'] })
}

/**
 * Hosts in zones, each a network namespace of its own. The hosts of a zone share a bridge, and the zones are joined by links, which can
 * be cut, in one direction too. Needs root on Linux.
 */
export class ZonedNetwork {
  readonly #name: string
  readonly #namespaces: string[] = []

  /** `zones`: the zone of each host. */
  constructor(name: string, zones: readonly string[]) {
    this.#name = name
    const all = [...new Set(zones)]
    this.#add(this.#backbone)
    this.#bridge('core')
    for (const zone of all) {
      this.#bridge(zone)
      // Between the bridge of the zone and that in the middle.
      run('ip', '-n', this.#backbone, 'link', 'add', `to-${zone}`, 'type', 'veth', 'peer', 'name', `of-${zone}`)
      this.#join(`to-${zone}`, 'core')
      this.#join(`of-${zone}`, zone)
    }
    for (const [host, zone] of zones.entries()) this.#host(host, zone)
  }

  address(host: number): string {
    return `10.77.0.${host + 1}`
  }

  /** The words that run a program at a host. */
  within(host: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespaceOf(host)]
  }

  /** Nothing goes into a zone or out of it. */
  cut(zone: string): void {
    run('ip', '-n', this.#backbone, 'link', 'set', `to-${zone}`, 'down')
  }

  /** What others send to a zone is lost, and what it sends arrives. */
  deafen(zone: string): void {
    run('tc', '-n', this.#backbone, 'qdisc', 'replace', 'dev', `to-${zone}`, 'root', 'blackhole')
  }

  heal(zone: string): void {
    try {
      run('tc', '-n', this.#backbone, 'qdisc', 'del', 'dev', `to-${zone}`, 'root')
    } catch {
      // It could hear.
    }
    run('ip', '-n', this.#backbone, 'link', 'set', `to-${zone}`, 'up')
  }

  close(): void {
    for (const namespace of this.#namespaces) run('ip', 'netns', 'del', namespace)
  }

  get #backbone(): string {
    return `${this.#name}-net`
  }

  #namespaceOf(host: number): string {
    return `${this.#name}-${host}`
  }

  #add(namespace: string): void {
    run('ip', 'netns', 'add', namespace)
    this.#namespaces.push(namespace)
    run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
  }

  #bridge(name: string): void {
    run('ip', '-n', this.#backbone, 'link', 'add', name, 'type', 'bridge')
    run('ip', '-n', this.#backbone, 'link', 'set', name, 'up')
  }

  #join(link: string, bridge: string): void {
    run('ip', '-n', this.#backbone, 'link', 'set', link, 'master', bridge, 'up')
  }

  #host(host: number, zone: string): void {
    const namespace = this.#namespaceOf(host)
    this.#add(namespace)
    const link = `host-${host}`
    run('ip', '-n', this.#backbone, 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    this.#join(link, zone)
    run('ip', '-n', namespace, 'addr', 'add', `${this.address(host)}/24`, 'dev', 'eth0')
    run('ip', '-n', namespace, 'link', 'set', 'eth0', 'up')
  }
}
