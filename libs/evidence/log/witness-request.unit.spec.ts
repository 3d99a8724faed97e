import { addCheckpointText, parseAddCheckpoint } from './witness-request';

const HASH = Buffer.alloc(32, 3).toString('base64');
const NOTE = `kernel.example.com/log/0\n9\n${HASH}\n\n\u2014 kernel.example.com/log/0 AAAAAAAA\n`;

describe('a request to a witness', () => {
  it('is read as it was written', () => {
    const request = { oldSize: 5, consistency: [Buffer.alloc(32, 1), Buffer.alloc(32, 2)], checkpoint: NOTE };
    const text = addCheckpointText(request);
    expect(text.split('\n').slice(0, 2)).toEqual(['old 5', Buffer.alloc(32, 1).toString('base64')]);
    const read = parseAddCheckpoint(text);
    expect({ ...read, consistency: read.consistency.map((hash) => Buffer.from(hash)) }).toEqual(request);
    expect(parseAddCheckpoint(`old 0\n\n${NOTE}`)).toEqual({ oldSize: 0, consistency: [], checkpoint: NOTE });
  });

  it.each([
    ['nothing', ''],
    ['no checkpoint', `old 5\n${HASH}\n`],
    ['no old size', `${HASH}\n\n${NOTE}`],
    ['an old size with a leading zero', `old 05\n\n${NOTE}`],
    ['a negative old size', `old -5\n\n${NOTE}`],
    ['an old size beyond exact integers', `old 9007199254740993\n\n${NOTE}`],
    ['two spaces', `old  5\n\n${NOTE}`],
    ['a short hash', `old 5\nAAAA\n\n${NOTE}`],
    ['line ends of another system', `old 5\r\n\r\n${NOTE}`],
    ['too long a proof', `old 5\n${`${HASH}\n`.repeat(64)}\n${NOTE}`],
  ])('is refused with %s', (_, body) => {
    expect(() => parseAddCheckpoint(body)).toThrow(
      expect.objectContaining({ code: 'invalid_witness_request' }),
    );
  });
});
