import { type ReplayProgress } from './replay-events';

/** Time between two lines. */
const EVERY_MS = 2_000;

/** Reports progress to a person now and then. */
export function progressLines(
  tell: (line: string) => void,
  now: () => number = () => performance.now(),
): (progress: ReplayProgress) => void {
  let step = '';
  let since = 0;
  let told = 0;
  return (progress) => {
    const at = now();
    if (progress.step !== step) {
      step = progress.step;
      since = at;
      told = at;
      if (progress.events === 0 || step === 'finishing') tell(`${step} ...`);
      return;
    }
    if (at - told < EVERY_MS) return;
    told = at;
    const { events, total } = progress;
    const rate = Math.round((events / Math.max(1, at - since)) * 1_000);
    const share =
      total === null || total === 0 ? '' : ` of ${whole(total)} (${Math.floor((100 * events) / total)} %)`;
    tell(`${step}: ${whole(events)} events${share}, ${whole(rate)}/s`);
  };
}

function whole(value: number): string {
  return value.toLocaleString('en-US');
}
