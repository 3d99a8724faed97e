import { generateKeyPairSync } from 'node:crypto';
import { noteKeyText, type NoteKeyType } from '#evidence';
import { parseKnownLogs } from './known-logs';

function vkey(name: string, type: NoteKeyType = 'ed25519'): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  return noteKeyText({ name, type, raw: publicKey.export({ type: 'spki', format: 'der' }).subarray(12) });
}

describe('the list of logs', () => {
  const [zero, next, one, foreign] = [
    'a.example/log/0',
    'a.example/log/0',
    'a.example/log/1',
    'b.example',
  ].map((name) => vkey(name)) as [string, string, string, string];

  it('has several keys of a log that changes its key, and where logs are followed', () => {
    const text = `# ours\n\nlog ${zero} https://a.example/log/0\nlog ${next}\n  log\t${one}\nlog ${foreign}\n`;
    const logs = parseKnownLogs(text, 'https://a.example:8440/');
    expect([...logs.values()].map(({ name, keys, url }) => [name, keys.length, url])).toEqual([
      ['a.example/log/0', 2, 'https://a.example/log/0'],
      ['a.example/log/1', 1, 'https://a.example:8440/log/1'],
      ['b.example', 1, null],
    ]);
    expect(parseKnownLogs('').size).toBe(0);
  });

  it.each([
    ['another word', `logs ${zero}`, 'it is not log'],
    ['no key', 'log', 'it is not log'],
    ['more than a URL', `log ${zero} https://a https://b`, 'it is not log'],
    ['a key that is cut off', `log ${zero.slice(0, -3)}`, 'no verifier key'],
    ['the key of a witness', `log ${vkey('w', 'cosignature/v1')}`, 'key of a witness'],
    ['a key twice', `log ${zero}\nlog ${zero}`, 'Line 2 of the list of logs: the same key'],
    ['two URLs', `log ${zero} https://a\nlog ${next} https://b`, 'another URL'],
    ['a URL that nobody can fetch', `log ${zero} ftp://a`, 'not http or https'],
  ])('is refused with %s', (_, text, message) => {
    expect(() => parseKnownLogs(text)).toThrow(
      expect.objectContaining({ code: 'logs_refused', message: expect.stringContaining(message) as string }),
    );
  });
});
