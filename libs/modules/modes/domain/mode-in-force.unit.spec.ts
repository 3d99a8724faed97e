import { modeInForce, type ModeFacts } from './mode-in-force';

const NOTHING: ModeFacts = {
  copy: 'normal',
  latest: null,
  forged: 0,
  hidden: false,
  chain: null,
  known: null,
};
const judge = (facts: Partial<ModeFacts>) => modeInForce({ ...NOTHING, ...facts });
const SAFE = { version: 6, to: 'safe-mode' } as const;

describe('modeInForce', () => {
  it('is normal in a new database, and what the latest change says after that', () => {
    expect(judge({})).toEqual({ mode: 'normal', version: 0, problems: [] });
    expect(judge({ copy: 'safe-mode', latest: SAFE, known: SAFE, chain: SAFE })).toEqual({
      mode: 'safe-mode',
      version: 6,
      problems: [],
    });
  });

  it.each<[string, Partial<ModeFacts>, string]>([
    ['the copy is rewritten', { copy: 'normal', latest: SAFE }, 'kernel.mode says normal'],
    [
      'an old row and its copy are put back under a running kernel',
      { copy: 'normal', latest: { version: 5, to: 'normal' }, known: SAFE },
      'has lost change 6',
    ],
    [
      'all rows are replaced by forged ones',
      { copy: 'normal', forged: 3, hidden: true, known: SAFE },
      'not made by this kernel',
    ],
    [
      'nothing but forged rows is in sight, and nothing is known',
      { copy: 'normal', forged: 1_000, hidden: true },
      'not made by this kernel',
    ],
  ])('stays safe-mode when %s', (_, facts, problem) => {
    const verdict = judge(facts);
    expect(verdict.mode).toBe('safe-mode');
    expect(verdict.problems.join(' ')).toContain(problem);
  });

  it('stays what the chain says in a database that is older than the chain', () => {
    expect(judge({ latest: { version: 5, to: 'normal' }, chain: SAFE })).toMatchObject({
      mode: 'safe-mode',
      version: 6,
      problems: [],
    });
  });

  it('is safe-mode while the chain is untrusted, without a version that no change could follow', () => {
    expect(judge({ chain: 'untrusted' })).toEqual({ mode: 'safe-mode', version: 0, problems: [] });
    expect(judge({ latest: { version: 5, to: 'normal' }, chain: 'untrusted' })).toEqual({
      mode: 'safe-mode',
      version: 5,
      problems: [],
    });
  });

  it('is not loosened by the chain, and forged rows beside the latest change are not obeyed', () => {
    const chain = { version: 7, to: 'normal' } as const;
    expect(judge({ copy: 'safe-mode', latest: SAFE, chain }).mode).toBe('safe-mode');
    expect(judge({ latest: { version: 5, to: 'normal' }, forged: 1 })).toMatchObject({ mode: 'normal' });
    expect(judge({ forged: 1 })).toMatchObject({ mode: 'normal', version: 0 });
  });

  it('is tightened by a copy that says more, which is told', () => {
    expect(judge({ copy: 'read-only' })).toMatchObject({
      mode: 'read-only',
      problems: [expect.stringContaining('kernel.mode says read-only')],
    });
  });
});
