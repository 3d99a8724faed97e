import fc from 'fast-check';
import { DivisionStory, PROFILE, TEMPLATE } from '../fixtures/division-story.fixture';
import { refusalOf } from '../fixtures/refusal.fixture';
import { AGENT_STATES, type AgentLifecycleState, decideSpawn, TRANSITIONS } from './agent';

/** Next states of each state, written from the contract, not from the code. */
const WAYS: Record<string, string[]> = {
  spawned: ['running', 'failed', 'retired'],
  running: ['paused', 'stopped', 'failed'],
  paused: ['running', 'stopped', 'failed'],
  stopped: ['running', 'retired'],
  failed: ['running', 'stopped', 'retired'],
  retired: [],
};
const PATHS: Record<AgentLifecycleState, AgentLifecycleState[]> = {
  spawned: [],
  running: ['running'],
  paused: ['running', 'paused'],
  stopped: ['running', 'stopped'],
  failed: ['failed'],
  retired: ['retired'],
};

function storyAt(state: AgentLifecycleState): DivisionStory {
  const story = new DivisionStory({ id: 'p', budget: 100 });
  story.spawn('a');
  for (const step of PATHS[state]) story.lead('a', step);
  expect(story.agent('a').state).toBe(state);
  return story;
}

describe('an agent', () => {
  it('is spawned once, from a template, in a division that is active', () => {
    const story = new DivisionStory({ id: 'p' });
    story.spawn('a');
    expect(story.agent('a')).toMatchObject({
      id: 'a',
      division: 'p',
      divisionVersion: 1,
      state: 'spawned',
      template: TEMPLATE,
    });
    expect(story.chain.at(-1)?.payload['because']).toEqual([
      { relation: 'template', eventId: TEMPLATE.signedBy },
      { relation: 'division', eventId: story.division.eventId },
    ]);
    expect(refusalOf(() => story.spawn('a'))?.code).toBe('agent_exists');
    for (const status of ['paused', 'retired']) {
      story.update({ id: 'p', status });
      const refusal = refusalOf(() => decideSpawn(null, 'b', story.division, TEMPLATE, PROFILE));
      expect(refusal).toMatchObject({ code: 'division_not_active', details: { divisionStatus: status } });
    }
  });

  describe.each(AGENT_STATES)('that is %s', (from) => {
    it.each(AGENT_STATES)('and is led to %s', (to) => {
      const story = storyAt(from);
      const before = story.chain.length;
      const refusal = refusalOf(() => story.lead('a', to));
      if (from === to) {
        expect([refusal, story.chain.length]).toEqual([null, before]);
      } else if (WAYS[from]?.includes(to)) {
        expect(refusal).toBeNull();
        expect(story.agent('a')).toMatchObject({ state: to, reason: 'because' });
      } else if (from === 'retired') {
        expect(refusal?.code).toBe('agent_retired');
      } else {
        expect(refusal).toMatchObject({
          code: 'transition_not_allowed',
          details: { state: from, allowed: WAYS[from] },
        });
        expect([story.agent('a').state, story.chain.length]).toEqual([from, before]);
      }
    });
  });

  it('is started from rest, and resumed from a pause', () => {
    expect(storyAt('spawned').lead('a', 'running')).toBe('agent.started');
    expect(storyAt('failed').lead('a', 'running')).toBe('agent.started');
    expect(storyAt('paused').lead('a', 'running')).toBe('agent.resumed');
  });

  it('starts in an active division alone, and stops in any', () => {
    const story = storyAt('paused');
    story.update({ id: 'p', status: 'retired' });
    expect(refusalOf(() => story.lead('a', 'running'))?.code).toBe('division_not_active');
    expect(story.lead('a', 'stopped')).toBe('agent.stopped');
    expect(story.lead('a', 'retired')).toBe('agent.retired');
  });

  it('gives back what it holds when it is retired, and others keep theirs', () => {
    const story = storyAt('stopped');
    story.spawn('b');
    story.allocate('a', 'gpu', 1.5);
    story.allocate('a', 'cpu', 2);
    story.allocate('b', 'gpu', 3);
    story.lead('a', 'retired');
    expect(story.chain.slice(-2)).toMatchObject([
      { type: 'allocation.released', payload: { holder: 'agent/a', pool: 'gpu', delta: -1.5, held: 0 } },
      { type: 'allocation.released', payload: { holder: 'agent/a', pool: 'cpu', delta: -2, held: 0 } },
    ]);
    expect(story.account.held).toEqual(new Map([['gpu', new Map([['agent/b', 3_000]])]]));
  });

  it('goes only allowed ways, whatever it is asked to, and never leaves its end', () => {
    const states = fc.constantFrom(...AGENT_STATES);
    let retired = 0;
    fc.assert(
      fc.property(fc.array(states, { minLength: 1, maxLength: 60 }), (asked) => {
        const story = storyAt('spawned');
        let was: AgentLifecycleState = 'spawned';
        for (const to of asked) {
          refusalOf(() => story.lead('a', to));
          const { state } = story.agent('a');
          if (state !== was) expect(WAYS[was]).toContain(state);
          was = state;
        }
        const told = story.chain.filter(({ type }) => type.startsWith('agent.')).slice(1);
        // Each event begins where the one before it ended.
        let at: unknown = 'spawned';
        for (const { payload } of told) {
          expect(payload['from']).toBe(at);
          at = payload['to'];
        }
        expect(at).toBe(was);
        if (was === 'retired') retired++;
      }),
      { numRuns: 300 },
    );
    expect(retired).toBeGreaterThan(50);
  });

  it('has a way to its end from everywhere', () => {
    for (const state of AGENT_STATES) {
      const reached = new Set([state]);
      for (const one of reached) for (const next of TRANSITIONS[one]) reached.add(next);
      expect(reached).toContain('retired');
    }
  });
});
