import fc from 'fast-check';
import { eachLine } from '../inspected/inspect-lines';
import { chunksOf, registryLines } from './blob-lines';

async function linesIn(text: string, step: number): Promise<{ lines: string[]; read: number }> {
  const lines: string[] = [];
  let read = 0;
  for await (const chunk of chunksOf(new Blob([text]), step)) {
    eachLine(chunk.lines, (line) => lines.push(Buffer.from(line).toString()));
    read += chunk.read;
  }
  return { lines, read };
}

describe('a file read in parts', () => {
  it('has the same lines, however large the parts are', async () => {
    const text = fc.array(fc.constantFrom('a', 'bc', '\n', '\r', 'ä'), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 12 }), async (pieces, step) => {
        const whole = pieces.join('');
        const lines = whole.split('\n');
        // A line feed ends a line: what is behind the last one is a line only when it is not empty.
        if (lines.at(-1) === '') lines.pop();
        expect(await linesIn(whole, step)).toEqual({ lines, read: Buffer.byteLength(whole) });
      }),
    );
  });

  it('keeps a line that is far too long as one line', async () => {
    const { lines, read } = await linesIn(`a\n${'b'.repeat(5_000_000)}\nc\n`, 1 << 20);
    expect(lines.map((line) => line[0])).toEqual(['a', 'b', 'c']);
    expect(lines[1]?.length).toBeLessThan(3_000_000);
    expect(read).toBe(5_000_005);
  });

  it('gives the lines that may speak for the key registry', async () => {
    const added = '{"a":1,"type":"signer.added","v":1}';
    const founded = '{"type":"kernel.founded","v":1}';
    const other = '{"type":"thing.happened","v":1}';
    const found = await registryLines(new Blob([[founded, other, '', added].join('\n')]));
    expect(found.map((line) => Buffer.from(line).toString())).toEqual([founded, added]);
  });
});
