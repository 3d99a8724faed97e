import { opendir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Task } from '../check/tasks';
import { UsageError } from '../usage.error';

/** Files per task. */
const TASK_FILES = 500;

export interface ArchivedManifest {
  /** `manifests/<shard>/YYYY/MM/DD.json` */
  key: string;
  bytes: Uint8Array;
}

/** An archive folder: events below audit/, day manifests below manifests/. One without them is taken as events alone. */
export class ArchiveFolder {
  private constructor(
    private readonly events: string,
    private readonly root: string | null,
  ) {}

  static async open(dir: string): Promise<ArchiveFolder> {
    if (!(await isFolder(dir))) throw new UsageError(`--dir ${dir}: there is no such folder.`);
    const audit = join(dir, 'audit');
    // With manifests it is a whole archive, even when someone removed all events.
    const whole = (await isFolder(audit)) || (await isFolder(join(dir, 'manifests')));
    return whole ? new ArchiveFolder(audit, dir) : new ArchiveFolder(dir, null);
  }

  /** Tasks in the order in which the file system lists the files. */
  async *tasks(): AsyncGenerator<Task> {
    if (!(await isFolder(this.events))) return;
    let paths: string[] = [];
    for await (const path of jsonFiles(this.events, '')) {
      paths.push(path);
      if (paths.length >= TASK_FILES) {
        yield { kind: 'files', root: this.events, paths };
        paths = [];
      }
    }
    if (paths.length > 0) yield { kind: 'files', root: this.events, paths };
  }

  async *manifests(): AsyncGenerator<ArchivedManifest> {
    if (this.root === null || !(await isFolder(join(this.root, 'manifests')))) return;
    for await (const path of jsonFiles(join(this.root, 'manifests'), '')) {
      yield { key: `manifests/${path}`, bytes: await readFile(join(this.root, 'manifests', path)) };
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function* jsonFiles(root: string, below: string): AsyncGenerator<string> {
  for await (const entry of await opendir(join(root, below))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* jsonFiles(root, path);
    else if (entry.name.endsWith('.json')) yield path;
  }
}
