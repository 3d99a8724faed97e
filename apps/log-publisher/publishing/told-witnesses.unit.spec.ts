import { WitnessError } from '#platform/log';
import { type Logger } from '#platform/process';
import { toldWitnesses } from './told-witnesses';

describe('witnesses that do not cosign', () => {
  it('are told of once for each reason, and when they cosign again', () => {
    const said: string[] = [];
    const counted: string[] = [];
    const say = (of: object, line: string) =>
      void said.push(`${(of as { witness: string }).witness}: ${line}`);
    const observer = toldWitnesses(0, { info: say, warn: say } as unknown as Logger, {
      onFailed: (witness) => counted.push(witness),
      onCosigned: (witness) => counted.push(witness),
    });
    const refused = (status: number, message: string) => new WitnessError('refused', message, { status });
    observer.onCosigned?.('w1', 1);
    observer.onFailed?.('w1', refused(422, 'at size 10'));
    observer.onFailed?.('w1', refused(422, 'at size 11'));
    observer.onFailed?.('w2', refused(422, 'at size 11'));
    observer.onFailed?.('w1', refused(404, 'unknown'));
    observer.onCosigned?.('w1', 1);
    observer.onCosigned?.('w1', 1);
    observer.onNotAdded?.('w2', new Error('the storage is away'));
    expect(said).toEqual([
      'w1: the witness does not cosign',
      'w2: the witness does not cosign',
      'w1: the witness does not cosign',
      'w1: the witness cosigns again',
      'w2: a late cosignature could not be added to the checkpoint',
    ]);
    expect(counted).toEqual(['w1', 'w1', 'w1', 'w2', 'w1', 'w1', 'w1']);
  });
});
