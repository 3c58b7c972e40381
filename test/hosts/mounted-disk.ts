import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** File systems that are mounted for one test, and unmounted and removed after it. */
export class MountedDisks {
  readonly #root: string
  readonly #mounted: string[] = []

  private constructor(root: string) {
    this.#root = root
  }

  /** Throws when mounting is impossible here. A test that skipped itself would look like one that passed. */
  static async prepare(): Promise<MountedDisks> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      throw new Error('These tests mount file systems: run them as root on Linux (in a container: --privileged)')
    }
    return new MountedDisks(await mkdtemp(join(tmpdir(), 'gossipgrid-hosts-')))
  }

  /** Mounts a file system in memory. Returns its path. */
  async mountMemory(name: string, sizeMebibytes: number): Promise<string> {
    return await this.#mount(name, ['-t', 'tmpfs', '-o', `size=${sizeMebibytes}m`, 'tmpfs'])
  }

  /** Mounts the file system in the image of that name. Returns its path. */
  async mountImage(name: string, options: string): Promise<string> {
    return await this.#mount(name, ['-o', `loop${options === '' ? '' : ','}${options}`, this.imagePath(name)])
  }

  /** Creates an image file with an empty ext4. */
  async makeImage(name: string, sizeMebibytes: number): Promise<void> {
    await execute('truncate', ['-s', `${sizeMebibytes}M`, this.imagePath(name)])
    await execute('mkfs.ext4', ['-q', this.imagePath(name)])
  }

  /** Copies the image as it is. That is what the disk has after a power cut now. */
  async copyImage(from: string, to: string): Promise<void> {
    await execute('cp', ['--sparse=always', this.imagePath(from), this.imagePath(to)])
  }

  async remount(name: string, option: 'ro' | 'rw'): Promise<void> {
    await execute('mount', ['-o', `remount,${option}`, this.#mountPoint(name)])
  }

  /** The kernel finds the image's file system broken, and refuses writes until it is mounted again. */
  async breakFileSystem(name: string): Promise<void> {
    const { stdout } = await execute('losetup', [
      '--associated',
      this.imagePath(name),
      '--noheadings',
      '--output',
      'NAME',
    ])
    await writeFile(`/sys/fs/ext4/${basename(stdout.trim())}/trigger_fs_error`, '1')
  }

  async unmount(name: string): Promise<void> {
    const index = this.#mounted.indexOf(name)
    if (index === -1) return
    await execute('umount', [this.#mountPoint(name)])
    this.#mounted.splice(index, 1)
  }

  /** Unmounts an image and deletes it. */
  async remove(name: string): Promise<void> {
    await this.unmount(name)
    await rm(this.imagePath(name))
  }

  /** Unmounts and removes everything, in whatever state the test left it. */
  async close(): Promise<void> {
    for (const name of this.#mounted.splice(0).reverse()) {
      // Lazily, because after a failed test a process may still have files open there.
      await execute('umount', ['--lazy', this.#mountPoint(name)])
    }
    await rm(this.#root, { recursive: true, force: true })
  }

  imagePath(name: string): string {
    return join(this.#root, `${name}.img`)
  }

  #mountPoint(name: string): string {
    return join(this.#root, name)
  }

  async #mount(name: string, source: string[]): Promise<string> {
    const point = this.#mountPoint(name)
    await mkdir(point, { recursive: true })
    try {
      await execute('mount', [...source, point])
    } catch (error) {
      throw new Error('mount failed: these tests need the right to mount (and, for images, free loop devices)', {
        cause: error,
      })
    }
    this.#mounted.push(name)
    return point
  }
}
