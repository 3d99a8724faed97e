import { setTimeout as delay } from 'node:timers/promises';
import { answerWithin, stopAfter } from './deadline';

const late = (): Error => new Error('too late');

describe('a deadline', () => {
  it('hands through what comes in time, and what fails in time', async () => {
    expect(await answerWithin(1_000, late, Promise.resolve(1))).toBe(1);
    await expect(answerWithin(1_000, late, Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('ends the wait, and lets a failure go that comes after it', async () => {
    const answer = delay(20).then(() => Promise.reject(new Error('nobody hears this')));
    await expect(answerWithin(5, late, answer)).rejects.toThrow('too late');
    await delay(30);
  });

  it('tells work to stop, with the reason', async () => {
    let told: AbortSignal | undefined;
    const hanging = stopAfter(5, late, (signal) => ((told = signal), new Promise(() => undefined)));
    await expect(hanging).rejects.toThrow('too late');
    expect((told?.reason as Error).message).toBe('too late');
  });

  it('tells work to stop when its caller does', async () => {
    const outer = new AbortController();
    const work = stopAfter(60_000, late, (signal) => delay(60_000, undefined, { signal }), outer.signal);
    outer.abort(new Error('not wanted'));
    await expect(work).rejects.toMatchObject({ name: 'AbortError', cause: { message: 'not wanted' } });
  });
});
