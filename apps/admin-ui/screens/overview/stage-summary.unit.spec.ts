import { summaries } from './stage-summary';

const AT = '2026-01-31T10:00:00.000Z';
const LATER = '2026-01-31T10:00:07.000Z';

it('sums a stage up over the shards, in the order of the pipeline', () => {
  const shard = (
    n: number,
    archived: { seq: number; events: number; seconds: number; movedAt: string | null },
  ) => ({
    shard: n,
    seq: 9,
    ts: AT,
    stages: [
      { stage: 'published' as const, seq: 9, events: 0, seconds: 0, movedAt: n === 0 ? AT : LATER },
      { stage: 'archived' as const, ...archived },
    ],
  });
  expect(
    summaries([
      shard(0, { seq: 7, events: 2, seconds: 61.5, movedAt: AT }),
      shard(1, { seq: 0, events: 9, seconds: 12, movedAt: null }),
      shard(2, { seq: 9, events: 0, seconds: 0, movedAt: AT }),
    ]),
  ).toEqual([
    { stage: 'published', events: 0, seconds: 0, shards: 0, movedAt: LATER, isLate: false },
    { stage: 'archived', events: 11, seconds: 61.5, shards: 2, movedAt: AT, isLate: true },
  ]);
  expect(summaries([])).toEqual([]);
});
