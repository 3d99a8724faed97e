import { cut, layOut, moveFrom, type TraceStep, stepTitle } from './trace-layout';

function step(n: number, distance: number, because: number[] = [], part: Partial<TraceStep> = {}): TraceStep {
  return {
    step: n,
    id: `event-${n}`,
    position: `0:${n}`,
    ts: '2026-01-31T10:00:00.000Z',
    withheld: false,
    type: 'agent.spawned',
    stream: 'agent/a-1',
    actor: null,
    note: null,
    hash: null,
    distance,
    because: because.map((cause) => ({ relation: 'cause', id: `event-${cause}` })),
    ...part,
  };
}

describe('a trace as a drawing', () => {
  const drawing = layOut([step(3, 0, [1, 2]), step(1, 2), step(2, 1, [1, 99])]);

  it('has a row for each event, the oldest first', () => {
    expect(drawing.nodes.map(({ step: { id } }) => id)).toEqual(['event-1', 'event-2', 'event-3']);
    const ys = drawing.nodes.map(({ y }) => y);
    expect([...ys].sort((a, b) => a - b)).toEqual(ys);
    expect(drawing.height).toBeGreaterThan(ys[2] ?? 0);
  });

  it('has what was asked about leftmost', () => {
    const [oldest, middle, asked] = drawing.nodes;
    expect(asked?.x).toBeLessThan(middle?.x ?? 0);
    expect(middle?.x).toBeLessThan(oldest?.x ?? 0);
    expect(drawing.textX).toBeGreaterThan(oldest?.x ?? 0);
  });

  it('has an arrow for each cause that is there', () => {
    expect(drawing.edges.map(({ from, to }) => `${from.step.id} ${to.step.id}`)).toEqual([
      'event-1 event-2',
      'event-1 event-3',
      'event-2 event-3',
    ]);
  });

  it('stays as wide as it is, however long the chain of causes', () => {
    const far = layOut(Array.from({ length: 200 }, (_, n) => step(n + 1, 199 - n, n === 0 ? [] : [n])));
    expect(far.width).toBeLessThan(700);
    expect(far.edges).toHaveLength(199);
  });

  it('is walked through by keyboard', () => {
    expect(moveFrom(drawing, 'event-3', 'up')).toBe('event-2');
    expect(moveFrom(drawing, 'event-3', 'down')).toBe('event-3');
    expect(moveFrom(drawing, 'event-1', 'up')).toBe('event-1');
    expect(moveFrom(drawing, 'event-2', 'cause')).toBe('event-1');
    expect(moveFrom(drawing, 'event-1', 'cause')).toBe('event-1');
    expect(moveFrom(drawing, 'event-1', 'effect')).toBe('event-2');
    expect(moveFrom(drawing, 'event-2', 'last')).toBe('event-3');
    expect(moveFrom(drawing, 'event-2', 'first')).toBe('event-1');
  });

  it('is empty for nothing', () => {
    expect(layOut([]).nodes).toEqual([]);
  });
});

describe('a row', () => {
  it('says where an event is that may not be read', () => {
    expect(stepTitle(step(4, 1, [], { withheld: true, type: null }))).toBe('withheld, at 0:4');
    expect(stepTitle(step(4, 1))).toBe('agent.spawned');
  });

  it('is cut where it is too long', () => {
    expect(cut('abcdef', 4)).toBe('abc…');
    expect(cut('abcd', 4)).toBe('abcd');
  });
});
