import { rates } from './rates';

it('tells events a second between samples, and nothing across a pause', () => {
  const sample = (at: number, events: number) => ({ at, events, answerMs: 1 });
  const samples = [sample(0, 100), sample(5, 150), sample(10, 150), sample(100, 900), sample(105, 890)];
  expect(rates(samples)).toEqual([null, 10, 0, null, 0]);
});
