import { eventLines } from './event-lines';

async function linesOf(...chunks: Buffer[]): Promise<string[]> {
  const lines: string[] = [];
  const given = async function* (): AsyncGenerator<Buffer> {
    yield* chunks;
  };
  for await (const line of eventLines(given())) lines.push(line.toString());
  return lines;
}

describe('the events of an export', () => {
  const events = ['{"a":"one"}', '{"a":"tw\u2028o \u2029 \u00e4\u{1f600}"}', '{"a":"three"}'];
  const whole = Buffer.from(`${events.join('\n')}\n`);

  it('are the same however their bytes arrive, whatever is in them', async () => {
    for (let at = 0; at <= whole.length; at++) {
      expect(await linesOf(whole.subarray(0, at), whole.subarray(at))).toEqual(events);
    }
    expect(await linesOf(...Array.from(whole, (byte) => Buffer.of(byte)))).toEqual(events);
    expect(await linesOf()).toEqual([]);
  });

  it('are refused when the last one is not whole', async () => {
    await expect(linesOf(whole.subarray(0, -1))).rejects.toMatchObject({ code: 'failed' });
  });
});
