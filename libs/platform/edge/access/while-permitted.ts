import { type IncomingMessage } from 'node:http';
import { contextOf } from '../request-context';
import { AccessError } from './access-error';
import { type AccessRules } from './access-rules';
import { rulesFor } from './rules-of-listener';

/** How often a caller whose answer does not end is asked for again. */
export const ASK_AGAIN_MS = 10_000;

/**
 * A signal that is aborted once the caller of a running request may no longer make it: their session has ended, or their
 * role. Only for listeners with rules of their own: with mutual TLS the connection itself ends. Asks until `gone`.
 */
export function whilePermitted(
  request: IncomingMessage,
  gone: AbortSignal,
  everyMs: number = ASK_AGAIN_MS,
): AbortSignal {
  const ended = new AbortController();
  const rules = rulesFor(request);
  const policy = contextOf(request)?.operation?.policy;
  if (rules === undefined || policy === undefined || policy === 'public') return ended.signal;
  const timer = setInterval(() => {
    isStillPermitted(rules, request, policy).then(
      (isPermitted) => {
        if (!isPermitted) ended.abort();
      },
      // A failure to ask is no answer.
      () => undefined,
    );
  }, everyMs);
  timer.unref();
  const stop = (): void => clearInterval(timer);
  if (gone.aborted) stop();
  for (const signal of [gone, ended.signal]) signal.addEventListener('abort', stop, { once: true });
  return ended.signal;
}

async function isStillPermitted(
  rules: AccessRules,
  request: IncomingMessage,
  policy: string,
): Promise<boolean> {
  try {
    await rules.permit(await rules.identify(request), policy, request);
    return true;
  } catch (error) {
    if (error instanceof AccessError && error.code !== 'sign_in_unavailable') return false;
    throw error;
  }
}
