import { createHash } from 'node:crypto';
import { MAX_OBJECT_BYTES } from '../archive';
import { ArchiveError } from '../archive.error';

/** The body of an answer: a stream of chunks, checked against the object's checksum by the SDK as it is read. */
export type ObjectBody = AsyncIterable<Uint8Array> & { destroy(): void };

/** @throws ArchiveError `object_too_large` before more than the bound is held */
export async function readBody(body: ObjectBody, key: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_OBJECT_BYTES) {
      body.destroy();
      throw new ArchiveError(
        'object_too_large',
        `${key} has more than ${MAX_OBJECT_BYTES} bytes, the most that is read at once.`,
        { key },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Hex SHA-256 of a body of any size, without holding it. */
export async function digestBody(body: ObjectBody): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk);
  return hash.digest('hex');
}
