import { inSafeMode } from './in-safe-mode';

/** A kernel's modes, as the API shows and changes them. */
function kernelIn(mode: string, reason = 'a person said so') {
  const state = { mode, reason };
  return {
    state,
    getJson: <T>() => Promise.resolve({ ...state } as T),
    post: (_path: string, body: string) => {
      Object.assign(state, JSON.parse(body));
      return Promise.resolve('{}');
    },
  };
}

describe('inSafeMode', () => {
  beforeEach(() => {
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  });
  afterEach(() => jest.restoreAllMocks());

  it.each(['normal', 'read-only'])('works in safe-mode and goes back to %s', async (mode) => {
    const api = kernelIn(mode);
    let meanwhile = '';
    const work = () => {
      meanwhile = api.state.mode;
      return Promise.resolve(42);
    };
    expect(await inSafeMode(api, work)).toBe(42);
    expect([meanwhile, api.state.mode]).toEqual(['safe-mode', mode]);
  });

  it('stays in safe-mode when the work failed, until a later run succeeds', async () => {
    const api = kernelIn('read-only');
    await expect(inSafeMode(api, () => Promise.reject(new Error('an event was changed')))).rejects.toThrow(
      'an event was changed',
    );
    expect(api.state.mode).toBe('safe-mode');
    await inSafeMode(api, () => Promise.resolve());
    expect(api.state.mode).toBe('read-only');
  });

  it('leaves alone a safe-mode that a person entered', async () => {
    const api = kernelIn('safe-mode', 'keys in doubt');
    await inSafeMode(api, () => Promise.resolve());
    expect(api.state).toEqual({ mode: 'safe-mode', reason: 'keys in doubt' });
  });
});
