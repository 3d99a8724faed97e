import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { podman } from './containers';

export interface ImageConfig {
  readonly Env: readonly string[];
  readonly [member: string]: unknown;
}

/** What is in an image, looked at from outside. */
export class ImageFiles {
  private constructor(
    private readonly image: string,
    private readonly root: string,
  ) {}

  static async open(image: string): Promise<ImageFiles> {
    return new ImageFiles(image, (await podman('image', 'mount', image)).trim());
  }

  async close(): Promise<void> {
    await podman('image', 'unmount', this.image);
  }

  /** Its configuration, and its size as its layers are unpacked. */
  async describe(): Promise<{ config: ImageConfig; bytes: number }> {
    const [found] = JSON.parse(await podman('image', 'inspect', this.image)) as {
      Config: ImageConfig;
      Healthcheck: unknown;
      Size: number;
    }[];
    if (found === undefined) throw new Error(`there is no image ${this.image}`);
    return { config: { ...found.Config, Healthcheck: found.Healthcheck }, bytes: found.Size };
  }

  /** Files and links, from the root on without a leading slash. */
  async paths(): Promise<string[]> {
    const entries = await readdir(this.root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => relative(this.root, join(parentPath, name)));
  }

  async read(path: string): Promise<string> {
    return await readFile(join(this.root, path), 'utf8');
  }

  /** Paths of files whose bytes, as Latin-1, match. */
  async containing(pattern: RegExp): Promise<string[]> {
    const found: string[] = [];
    for (const path of await this.paths()) {
      const file = join(this.root, path);
      const isFile = await stat(file).then(
        (entry) => entry.isFile(),
        () => false,
      );
      if (isFile && pattern.test((await readFile(file)).toString('latin1'))) found.push(path);
    }
    return found;
  }
}
