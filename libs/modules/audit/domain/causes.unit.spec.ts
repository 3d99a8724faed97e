import { type AuditEvent } from '#evidence';
import { recorded } from '#dev/testing';
import { causesOf, noteOf, restsOn } from './causes';

const event = (
  stream: string,
  version: number,
  payload: object,
  more: Partial<AuditEvent> = {},
): AuditEvent => ({
  ...recorded('thing.happened', payload, version),
  stream,
  ...more,
});

describe('whether an event rests on another', () => {
  const cause = event('agent/a', 2, {}, { id: 'c-1', shard: 0, seq: 10 });

  it('is so when it names it, follows it, or was caused by it', () => {
    const because = [{ relation: 'agent', eventId: 'c-1' }];
    expect(restsOn(event('allocation/p', 1, { because }), cause, undefined)).toBe(true);
    expect(restsOn(event('agent/a', 3, {}), cause, undefined)).toBe(true);
    expect(restsOn(event('eval/a', 1, {}, { causationId: 'c-1' }), cause, undefined)).toBe(true);
    const others = [
      event('allocation/p', 1, { because: [{ relation: 'agent', eventId: 'c-2' }] }),
      event('agent/a', 4, {}),
      event('agent/b', 3, {}),
      event('eval/a', 1, {}, { causationId: 'c-2' }),
    ];
    for (const other of others) expect(restsOn(other, cause, undefined)).toBe(false);
  });

  it('is so of the last event of an upgrade before it', () => {
    const applied = event('upgrade/u', 5, {}, { id: 'u-5', shard: 0, seq: 10 });
    const later = event('upgrade/u', 6, {}, { id: 'u-6', shard: 0, seq: 20 });
    const changed = (seq: number, shard = 0) =>
      event('policy/governance', 1, { upgradeId: 'u' }, { shard, seq });
    expect(restsOn(changed(11), applied, later)).toBe(true);
    expect(restsOn(changed(21), applied, undefined)).toBe(true);
    expect(restsOn(changed(21), applied, later)).toBe(false);
    expect(restsOn(changed(21), later, undefined)).toBe(true);
    expect(restsOn(changed(9), applied, later)).toBe(false);
    expect(restsOn(changed(11, 1), applied, later)).toBe(false);
  });
});

describe('what an event rests on', () => {
  it('is what it says, each once', () => {
    const because = [
      { relation: 'evaluation', eventId: 'e-1' },
      { relation: 'agent', eventId: 'e-2' },
      { relation: 'again', eventId: 'e-1' },
      { relation: 7 },
      'nonsense',
    ];
    expect(causesOf(event('allocation/p', 9, { because }, { causationId: 'e-1' }))).toEqual([
      { relation: 'evaluation', event: { id: 'e-1' } },
      { relation: 'agent', event: { id: 'e-2' } },
    ]);
  });

  it('is the event before it where things have a history', () => {
    const before = { relation: 'follows', event: { stream: 'agent/a', version: 2 } };
    expect(causesOf(event('agent/a', 3, {}, { causationId: 'e-1' }))).toEqual([before]);
    expect(causesOf(event('agent/a', 1, {}))).toEqual([]);
    for (const stream of ['caller/x', 'eval/a', 'allocation/p', 'manifest/m']) {
      expect(causesOf(event(stream, 3, {}))).toEqual([]);
    }
  });

  it('is its causation otherwise', () => {
    expect(causesOf(event('eval/a', 3, {}, { causationId: 'e-1' }))).toEqual([
      { relation: 'caused_by', event: { id: 'e-1' } },
    ]);
  });

  it('is the upgrade that changed it', () => {
    const changed = event('policy/governance', 1, { upgradeId: 'u' });
    expect(causesOf(changed)).toEqual([
      { relation: 'upgrade', event: { stream: 'upgrade/u', lastBefore: changed } },
    ]);
    expect(causesOf(event('upgrade/u', 1, { upgradeId: 'u' }))).toEqual([]);
  });

  it('is noted in one line', () => {
    const note = (type: string, payload: object) => noteOf(recorded(type, payload, 1));
    expect(note('division.updated', { division: 'p', version: 2 })).toBe('p at version 2');
    expect(
      note('agent.spawned', { agentId: 'a', division: 'p', template: { manifestId: 't', version: '1' } }),
    ).toBe('a in p from t 1');
    expect(note('agent.paused', { from: 'running', to: 'paused', reason: 'night' })).toBe(
      'from running to paused: night',
    );
    expect(note('eval.submitted', { agentId: 'a', score: null })).toBe('a: no score');
    expect(note('allocation.granted', { delta: 2, pool: 'gpu', holder: 'agent/a', reason: 'good' })).toBe(
      '2 of gpu for agent/a: good',
    );
    expect(note('door.opened', {})).toBeNull();
    // Callers may write anything into their own.
    expect(note('upgrade.rejected', { reason: { not: 'a text' } })).toBeNull();
  });
});
