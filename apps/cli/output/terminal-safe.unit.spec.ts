import { Readable } from 'node:stream';
import { styleText } from 'node:util';
import { print, printStream, say } from './print';
import { shown } from './shown';
import { terminalSafe } from './terminal-safe';

jest.mock('node:util', () => ({
  ...jest.requireActual<typeof import('node:util')>('node:util'),
  styleText: jest.fn((colour: string, text: string) => `<${colour}>${text}</${colour}>`),
}));

const ESC = '\u001b';
/** Everything in Unicode that a terminal or the direction of a text obeys, in one text. */
const OBEYED = Array.from({ length: 0x110000 }, (_, point) => point)
  .filter((point) => point < 0xd800 || point > 0xdfff)
  .map((point) => String.fromCodePoint(point))
  .filter((character) => /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(character))
  .join('');

describe('text for a terminal', () => {
  it('holds nothing that a terminal obeys but the ends of lines', () => {
    const safe = terminalSafe(`a${OBEYED}z`);
    expect(safe.replaceAll('\n', '')).toMatch(/^[\x20-\x7e]+$/);
    expect(safe.split('\n')).toHaveLength(2);
  });

  it('stays the same JSON', () => {
    const value = { text: OBEYED, name: { [OBEYED]: 'Zoë “ok” 🔑 \\u000a' } };
    expect(JSON.parse(terminalSafe(JSON.stringify(value, null, 2)))).toEqual(value);
  });

  it('leaves every other text alone', () => {
    expect(terminalSafe('Zoë “ok” 🔑\n  – 漢字 \\u000a')).toBe('Zoë “ok” 🔑\n  – 漢字 \\u000a');
  });

  it('is what every way out of this program writes', async () => {
    const written: string[] = [];
    const streams = [process.stdout, process.stderr].map((stream) =>
      jest.spyOn(stream, 'write').mockImplementation((text) => {
        written.push(String(text));
        return true;
      }),
    );
    print(`a${ESC}[2J`);
    say(`b${ESC}[2J\u202e`);
    for (const stream of streams) stream.mockRestore();
    expect(written).toEqual(['a\\u001b[2J\n', 'kernel: b\\u001b[2J\\u202e\n']);
  });

  it('has the colour of its tone, as the stream allows, and none of its own', () => {
    const written: string[] = [];
    const write = jest.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
      written.push(String(chunk));
      return true;
    });
    try {
      say(`it failed${ESC}[32m`, 'bad');
      say('it goes on');
    } finally {
      write.mockRestore();
    }
    expect(written).toEqual(['<red>kernel: it failed\\u001b[32m</red>\n', 'kernel: it goes on\n']);
    // Whether it is a terminal, and whether NO_COLOR is set, is for Node.js to look at.
    expect(styleText).toHaveBeenCalledWith('red', expect.anything(), { stream: process.stderr });
  });

  it('is what a person sees of a stream, while a pipe gets its bytes', async () => {
    const bytes = Buffer.from(`{"a":"\u202e\u009b é"}\n`);
    const parts = (): Readable =>
      Readable.from(
        [...bytes].map((byte) => Buffer.of(byte)),
        { objectMode: false },
      );
    const { isTTY } = process.stdout;
    const seen: Buffer[] = [];
    const write = jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      seen.push(Buffer.from(chunk));
      return true;
    });
    try {
      process.stdout.isTTY = false;
      await printStream(parts());
      expect(Buffer.concat(seen.splice(0))).toEqual(bytes);
      process.stdout.isTTY = true;
      await printStream(parts());
      expect(Buffer.concat(seen).toString()).toBe('{"a":"\\u202e\\u009b é"}\n');
    } finally {
      process.stdout.isTTY = isTTY;
      write.mockRestore();
    }
  });
});

it('shows an answer without lines that it forges', () => {
  const answer = JSON.stringify({ by: `x\n  quorum 5 of 5${ESC}[1A`, balances: [{ 'a\rb': 1 }] });
  expect(shown(answer)).toEqual({ by: 'x\\u000a  quorum 5 of 5\\u001b[1A', balances: [{ 'a\\u000db': 1 }] });
});
