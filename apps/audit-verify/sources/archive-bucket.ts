import { type Task } from '../check/tasks';
import { type ArchivedManifest } from './archive-folder';
import { type S3Location } from './s3-location';
import { S3Reader } from './s3-reader';

/** Objects per task: a worker reads them some at a time. */
const TASK_OBJECTS = 250;
const MANIFESTS_AT_ONCE = 25;

/** The events of an archive in a bucket, page by page. */
export async function* bucketTasks(location: S3Location): AsyncGenerator<Task> {
  let keys: string[] = [];
  for await (const key of new S3Reader(location).keys('audit/')) {
    if (!key.endsWith('.json')) continue;
    keys.push(key);
    if (keys.length >= TASK_OBJECTS) {
      yield { kind: 'objects', location, keys };
      keys = [];
    }
  }
  if (keys.length > 0) yield { kind: 'objects', location, keys };
}

/** Its day manifests, some at a time. */
export async function* bucketManifests(location: S3Location): AsyncGenerator<ArchivedManifest> {
  const reader = new S3Reader(location);
  const read = (keys: string[]): Promise<ArchivedManifest[]> =>
    Promise.all(keys.map(async (key) => ({ key, bytes: (await reader.object(key)) ?? new Uint8Array() })));
  let keys: string[] = [];
  for await (const key of reader.keys('manifests/')) {
    keys.push(key);
    if (keys.length < MANIFESTS_AT_ONCE) continue;
    yield* await read(keys);
    keys = [];
  }
  yield* await read(keys);
}
