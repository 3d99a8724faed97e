import { GuardedBackend, type SignOutcome } from './guarded-backend';
import { SignerError } from './signer.error';
import { type SigningBackend } from './signing-backend';

describe('GuardedBackend', () => {
  let seen: SignOutcome[];
  let circuit: (string | null)[];
  let sign: SigningBackend['sign'];
  let healthy: boolean;
  const guarded = (timeoutMs = 1_000) =>
    new GuardedBackend(
      {
        name: 'fake',
        keys: () => [],
        sign: (...args) => sign(...args),
        health: async () => ({ ok: healthy, detail: 'as told' }),
        close: async () => undefined,
      },
      {
        timeoutMs,
        failuresToOpen: 2,
        // Long enough for a test never to see its end.
        openMs: 3_600_000,
        longestOpenMs: 3_600_000,
        observer: {
          onSign: ({ outcome }) => seen.push(outcome),
          onCircuit: (_backend, reason) => circuit.push(reason),
        },
      },
    );
  const unavailable = () => Promise.reject(new SignerError('signing_unavailable', 'the wire is cut'));
  beforeEach(() => {
    seen = [];
    circuit = [];
    healthy = true;
    sign = async (_kid, messages) => messages.map(() => new Uint8Array(64));
  });

  it('hands through what the backend signs', async () => {
    expect(await guarded().sign('k', [new Uint8Array(1), new Uint8Array(2)])).toHaveLength(2);
    expect(seen).toEqual(['signed']);
  });

  it('answers at once when the backend has failed several times, without asking it', async () => {
    const backend = guarded();
    sign = unavailable;
    for (let n = 0; n < 2; n++) {
      await expect(backend.sign('k', [])).rejects.toMatchObject({ message: 'the wire is cut' });
    }
    sign = () => {
      throw new Error('it was asked');
    };
    await expect(backend.sign('k', [])).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('the wire is cut'),
      details: { reason: 'circuit_open' },
    });
    expect(seen).toEqual(['failed', 'failed', 'unavailable']);
    expect(circuit).toEqual(['the wire is cut']);
  });

  it('does not hold against the backend what was asked wrongly', async () => {
    const backend = guarded();
    sign = () => Promise.reject(new SignerError('unknown_key', 'no such key'));
    for (let n = 0; n < 5; n++) await expect(backend.sign('k', [])).rejects.toThrow('no such key');
    expect(seen).toEqual(Array(5).fill('refused'));
    expect(circuit).toEqual([]);
  });

  it('gives up a backend that hangs, and tells it to stop', async () => {
    let told: AbortSignal | undefined;
    sign = (_kid, _messages, signal) => {
      told = signal;
      return new Promise(() => undefined);
    };
    await expect(guarded(20).sign('k', [])).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: 'The backend fake did not answer within 20 ms',
    });
    expect(told?.aborted).toBe(true);
    expect(seen).toEqual(['timeout']);
  });

  it('asks again at once when a health check has found the backend well', async () => {
    const backend = guarded();
    const good = sign;
    sign = unavailable;
    for (let n = 0; n < 2; n++) await expect(backend.sign('k', [])).rejects.toThrow('cut');
    healthy = false;
    await backend.health();
    await expect(backend.sign('k', [])).rejects.toThrow('rest');
    healthy = true;
    await backend.health();
    sign = good;
    expect(await backend.sign('k', [])).toEqual([]);
    expect(circuit).toEqual(['the wire is cut', null]);
  });
});
