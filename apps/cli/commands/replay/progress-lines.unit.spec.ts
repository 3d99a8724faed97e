import { progressLines } from './progress-lines';

describe('progressLines', () => {
  function told(
    ...steps: {
      at: number;
      step: 'reading keys' | 'replaying' | 'finishing';
      events: number;
      total?: number;
    }[]
  ) {
    const lines: string[] = [];
    let now = 0;
    const tell = progressLines(
      (line) => lines.push(line),
      () => now,
    );
    for (const { at, step, events, total = null } of steps) {
      now = at;
      tell({ step, events, total });
    }
    return lines;
  }

  it('tells every two seconds how far it is, and how fast', () => {
    expect(
      told(
        { at: 0, step: 'replaying', events: 500, total: 20_000 },
        { at: 1_000, step: 'replaying', events: 5_000, total: 20_000 },
        { at: 2_000, step: 'replaying', events: 12_000, total: 20_000 },
        { at: 3_999, step: 'replaying', events: 19_000, total: 20_000 },
        { at: 4_000, step: 'finishing', events: 20_000, total: 20_000 },
      ),
    ).toEqual(['replaying: 12,000 events of 20,000 (60 %), 6,000/s', 'finishing ...']);
  });

  it('does without a total', () => {
    expect(
      told(
        { at: 0, step: 'reading keys', events: 0 },
        { at: 0, step: 'replaying', events: 1 },
        { at: 2_500, step: 'replaying', events: 5_000 },
      ),
    ).toEqual(['reading keys ...', 'replaying: 5,000 events, 2,000/s']);
  });
});
