import { MessageSplitter } from './message-splitter';

describe('a stream of events', () => {
  const WHOLE = 'id: 0:1\n\nid: 0:2\ndata: {"a":1}\n\nid: 0:3\ndata: one\ndata: two\n\n';
  const MESSAGES = [
    { id: '0:1', data: null },
    { id: '0:2', data: '{"a":1}' },
    { id: '0:3', data: 'one\ntwo' },
  ];

  it.each([1, 2, 3, 7, 1_000])('is read in pieces of %i', (size) => {
    const splitter = new MessageSplitter();
    const pieces = WHOLE.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? [];
    expect(pieces.flatMap((piece) => splitter.add(piece))).toEqual(MESSAGES);
  });

  it('keeps no message that never ends', () => {
    const splitter = new MessageSplitter();
    expect(() => {
      for (let n = 0; n < 20; n += 1) splitter.add('x'.repeat(2 ** 20));
    }).toThrow('too long');
  });
});
