import { type GivenEvent } from './judge-event';
import { type WorkerAnswer } from './verify-event.worker';
import workerAddress from './verify-event.worker?worker&url';

/** It takes hundredths of a second; a worker that says nothing for this long is not going to. */
const LONGEST_MS = 30_000;

/**
 * Judges an event in a worker, so that the page answers meanwhile, and what is judged stays where nothing can be loaded or
 * sent. Its script is checked before: a worker cannot be given a digest (Subresource Integrity has no place for one).
 */
export async function verifyInWorker(given: GivenEvent, signal: AbortSignal): Promise<WorkerAnswer> {
  await checkScript(signal);
  const worker = new Worker(workerAddress);
  try {
    return await new Promise<WorkerAnswer>((resolve, reject) => {
      const late = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]);
      late.addEventListener('abort', () => reject(late.reason as Error), { once: true });
      worker.addEventListener('message', ({ data }: MessageEvent<WorkerAnswer>) => resolve(data));
      worker.addEventListener('error', ({ message }) =>
        reject(new Error(message || 'The worker that verifies does not start.')),
      );
      worker.postMessage(given);
    });
  } finally {
    worker.terminate();
  }
}

/** The digest that the page knows of the script; the worker then starts from the browser's cache, where it is kept for ever. */
async function checkScript(signal: AbortSignal): Promise<void> {
  const known = document.querySelector<HTMLMetaElement>('meta[name=integrity]')?.content ?? '{}';
  const integrity = (JSON.parse(known) as Record<string, string>)[workerAddress];
  if (integrity === undefined) throw new Error(`${workerAddress} has no digest.`);
  const answer = await fetch(workerAddress, { integrity, signal });
  if (!answer.ok) throw new Error('The script that verifies cannot be loaded.');
  await answer.arrayBuffer();
}
