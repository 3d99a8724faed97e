import { GrowingPause, halfJitter } from './pauses';

describe('pauses', () => {
  it('lie at random between half and all of what they may be', () => {
    expect([halfJitter(100, () => 0), halfJitter(100, () => 1)]).toEqual([50, 100]);
  });

  it('double up to the longest, and are short again after a success', async () => {
    const pause = new GrowingPause(1, 4);
    const next: number[] = [];
    for (let n = 0; n < 4; n++) {
      next.push(pause.nextMs);
      await pause.wait(new AbortController().signal);
    }
    pause.reset();
    expect([...next, pause.nextMs]).toEqual([1, 2, 4, 4, 1]);
  });

  it('end early, and quietly, when aborted', async () => {
    await new GrowingPause(3_600_000, 3_600_000).wait(AbortSignal.abort());
  });
});
