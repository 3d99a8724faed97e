import { parsed, problemOf, send } from './client';
import { MessageSplitter, type StreamMessage } from './message-splitter';
import { ApiProblem, isPassing } from './problem';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** The kernel sends something every 15 s; a stream on which nothing comes for three times that is dead. */
const SILENCE_MS = 45_000;
/**
 * Follows events as they come, from now on, until the signal is aborted; after an interruption it goes on where it was. A
 * stream does not keep a session from ending, and ends with it.
 *
 * By `fetch` and not by EventSource, which does not tell why a stream is refused and swallows messages without data.
 * @param path of the stream, with its filters
 * @throws ApiProblem when the stream is refused for good
 */
export async function followEvents(
  path: string,
  onMessages: (messages: readonly StreamMessage[]) => void,
  signal: AbortSignal,
): Promise<void> {
  let last: string | null = null;
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      await once(path, last, signal, (messages) => {
        pause = FIRST_PAUSE_MS;
        last = messages.findLast(({ id }) => id !== null)?.id ?? last;
        onMessages(messages);
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiProblem && !isPassing(error)) throw error;
    }
    await new Promise<void>((resolve) => {
      const goOn = () => {
        clearTimeout(timer);
        // The signal lives as long as the tab, through every interruption.
        signal.removeEventListener('abort', goOn);
        resolve();
      };
      const timer = setTimeout(goOn, pause);
      signal.addEventListener('abort', goOn);
    });
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

async function once(
  path: string,
  after: string | null,
  signal: AbortSignal,
  onMessages: (messages: readonly StreamMessage[]) => void,
): Promise<void> {
  const silent = new AbortController();
  const either = AbortSignal.any([signal, silent.signal]);
  const headers: Record<string, string> = { Accept: 'text/event-stream' };
  if (after !== null) headers['Last-Event-ID'] = after;
  let timer = setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    const response = await send(path, { headers, signal: either });
    if (!response.ok || response.body === null) throw problemOf(response, parsed(await response.text()));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const splitter = new MessageSplitter();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), SILENCE_MS);
      const messages = splitter.add(value);
      if (messages.length > 0) onMessages(messages);
    }
  } finally {
    clearTimeout(timer);
  }
}
