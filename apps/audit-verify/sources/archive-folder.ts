import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Task } from '../check/tasks';
import { UsageError } from '../usage.error';

/** Files per task. */
const TASK_FILES = 500;

/** The events of an archive folder, in whatever order the file system gives them. */
export async function* archiveTasks(dir: string): AsyncGenerator<Task> {
  const root = await archiveRoot(dir);
  let paths: string[] = [];
  for await (const path of jsonFiles(root, '')) {
    paths.push(path);
    if (paths.length >= TASK_FILES) {
      yield { kind: 'files', root, paths };
      paths = [];
    }
  }
  if (paths.length > 0) yield { kind: 'files', root, paths };
}

/** Events lie below audit/; a folder without one is taken as that folder itself. */
async function archiveRoot(dir: string): Promise<string> {
  const isFolder = async (path: string): Promise<boolean> =>
    stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
  if (!(await isFolder(dir))) throw new UsageError(`--dir ${dir}: there is no such folder.`);
  const audit = join(dir, 'audit');
  return (await isFolder(audit)) ? audit : dir;
}

async function* jsonFiles(root: string, below: string): AsyncGenerator<string> {
  for await (const entry of await opendir(join(root, below))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* jsonFiles(root, path);
    else if (entry.name.endsWith('.json')) yield path;
  }
}
