import { type EventVerdict, type GivenEvent, judgeEvent, UnreadableTrust } from './judge-event';

/** `unreadable`: the files that are to be trusted are none, and why. */
export type WorkerAnswer = { verdict: EventVerdict } | { unreadable: string } | { failed: string };

/** Judges the event of each message. It loads nothing and asks nobody: its policy allows neither. */
self.addEventListener('message', ({ data }: MessageEvent<GivenEvent>) => {
  let answer: WorkerAnswer;
  try {
    answer = { verdict: judgeEvent(data) };
  } catch (error) {
    if (error instanceof UnreadableTrust) answer = { unreadable: error.message };
    else answer = { failed: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(answer);
});
