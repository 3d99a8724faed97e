import { request } from 'node:http';
import { type Logger } from '#platform/process';
import { type Witness } from '../cosign/witness';
import { type RunningWitnessServer, startWitnessServer } from './witness-server';

describe('the server of a witness', () => {
  let server: RunningWitnessServer;
  beforeAll(async () => {
    const witness = { addCheckpoint: () => Promise.reject(new Error('is not asked')) };
    server = await startWitnessServer({
      witness: witness as unknown as Witness,
      host: '127.0.0.1',
      port: 0,
      tls: null,
      logger: { error: () => undefined } as unknown as Logger,
    });
  });
  afterAll(() => server.close());

  it('says that a body is too long, also when its length was not announced', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const submitted = request(
        { host: '127.0.0.1', port: server.port, path: '/add-checkpoint', method: 'POST', agent: false },
        (response) => {
          resolve(response.statusCode ?? 0);
          submitted.destroy();
        },
      ).on('error', reject);
      // In chunks, and without an end.
      submitted.write('x'.repeat(40_000));
      submitted.write('x'.repeat(40_000));
    });
    expect(status).toBe(413);
  });
});
