import { CliError } from '../cli.error';

const LINE_FEED = 0x0a;

/**
 * Canonical events of an export, their very bytes without the line feed. `readline` would also split at U+2028 and U+2029,
 * which canonical JSON writes as they are.
 * @throws CliError `failed` when the last event is not whole
 */
export async function* eventLines(export_: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  for await (const chunk of export_) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      yield Buffer.concat([...pieces, chunk.subarray(start, end)]);
      pieces = [];
      start = end + 1;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
  }
  if (pieces.length > 0) throw new CliError('failed', 'The export ended in the middle of an event.');
}
