import { LoggedKernel, UpgradedKernel } from '#dev/testing';
import { canonicalize, type JsonValue, signersJson } from '#evidence';
import { type FileKind, kindOf } from './file-kind';

describe('what a file looks like', () => {
  const kernel = new LoggedKernel();
  const event = Buffer.from(kernel.at(3)).toString();
  const upgrade = canonicalize(new UpgradedKernel().upgrade().evidence() as unknown as JsonValue);
  const { signers, origin } = kernel.trust();

  it.each<[FileKind, string, string]>([
    ['signers', 'signers.json', signersJson(signers, origin)],
    ['event', 'an event', event],
    ['event', 'an event with a line feed', `${event}\n`],
    ['export', 'two events', `${event}\n${event}`],
    ['export', 'an event that breaks off behind another', `${event}\n${event.slice(0, 40)}`],
    ['export', 'nothing', ''],
    ['export', 'a first line that is no event', `{"actor":\n${event}\n`],
    ['receipt', 'a receipt', kernel.log.receipt(3)],
    ['upgrade', 'evidence', upgrade],
    ['envelope', 'an envelope', '{"payload":"","payloadType":"x","signatures":[]}'],
    ['manifest', 'a manifest', '{\n  "id": "x",\n  "version": "1"\n}\n'],
    ['manifest', 'a manifest that breaks off', '{\n  "id": '],
    ['policy', 'a policy', '# of the board\n\nwitness w key\nquorum w\n'],
    ['checkpoint', 'a checkpoint', 'a/log/0\n1\nroot\n\n\u2014 a/log/0 sig\n'],
    ['heads', 'heads', '[{"shard":0,"seq":1,"hash":"x"}]'],
    ['pool', 'a pool', '{"threshold":3,"approvers":[]}'],
  ])('is %s: %s', async (kind, _name, text) => {
    expect(await kindOf(new Blob([text]))).toBe(kind);
  });

  it('is the events of a chain when it is large', async () => {
    expect(await kindOf(new Blob([`${event}\n`.repeat(4_000)]))).toBe('export');
  });
});
