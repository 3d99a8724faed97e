import { randomBytes } from 'node:crypto';
import { RowKey } from './row-key';

const ORIGIN = 'kernel.example.com/test';
const line = (): string => randomBytes(32).toString('base64');

describe('secrets derived from a row key', () => {
  const [first, second] = [line(), line()];
  const key = RowKey.parse(`${first}\n${second}\n`, ORIGIN);

  it('are the same in every process, one for each key of the file, the one in use first', () => {
    const [used, accepted, ...others] = key.secretsFor('a');
    expect(others).toEqual([]);
    expect(used).toEqual(RowKey.parse(first, ORIGIN).secretsFor('a')[0]);
    expect(accepted).toEqual(RowKey.parse(second, ORIGIN).secretsFor('a')[0]);
    expect(used).toHaveLength(32);
  });

  it('differ by purpose and by origin, and are no MAC', () => {
    const [used] = key.secretsFor('a');
    expect(key.secretsFor('b')[0]).not.toEqual(used);
    expect(RowKey.parse(first, 'kernel.example.com/other').secretsFor('a')[0]).not.toEqual(used);
    expect(key.mac('sessions', ['a'])).not.toEqual(used);
  });
});
