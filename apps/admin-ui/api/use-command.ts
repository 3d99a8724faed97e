import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { ApiProblem } from './problem';

/** Whether nobody knows whether it was done: then the same has to be sent again under the same key. */
function isOpen(error: unknown): boolean {
  return !(error instanceof ApiProblem) || error.status >= 500 || error.status === 429;
}

/**
 * A command to the kernel, which is sent when somebody says so, and never again by itself. What is sent again because no
 * answer came has the same Idempotency-Key, so it is done once; after an answer, or with another body, it is another
 * attempt. What was read about upgrades is read again afterwards.
 */
export function useCommand<Body, Result>(
  send: (body: Body, idempotencyKey: string) => Promise<Result>,
  done?: (result: Result) => void,
) {
  const queries = useQueryClient();
  const attempt = useRef<{ readonly body: string; readonly key: string } | null>(null);
  return useMutation({
    mutationFn: async (body: Body) => {
      const text = JSON.stringify(body) ?? '';
      if (attempt.current?.body !== text) attempt.current = { body: text, key: crypto.randomUUID() };
      try {
        const result = await send(body, attempt.current.key);
        attempt.current = null;
        return result;
      } catch (error) {
        if (!isOpen(error)) attempt.current = null;
        throw error;
      }
    },
    // What stands on the page is read again first: nobody is told of a result beside a state from before it.
    onSuccess: async (result) => {
      await queries.invalidateQueries({ queryKey: ['upgrades'] });
      done?.(result);
    },
    onError: () => void queries.invalidateQueries({ queryKey: ['upgrades'] }),
  });
}
