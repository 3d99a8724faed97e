import { useMutation, type UseMutationResult, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { AttemptKey } from './attempt-key';
import { ApiProblem } from './problem';
import { noteWritten } from './written-position';

export type Command<Body, Answer> = UseMutationResult<Answer, Error, Body>;

/** Whether nobody knows whether it was done: then the same has to be sent again under the same key. */
function isOpen(error: unknown): boolean {
  return !(error instanceof ApiProblem) || error.status >= 500 || error.status === 429;
}

/**
 * A command to the kernel: sent once for each press and never again by itself, with the key of its attempt, and done
 * when the kernel has answered.
 * @param send sends the body with the `Idempotency-Key`
 * @param touches keys of queries that are read again afterwards, also after a refusal: what stood on the page was old
 */
export function useCommand<Body, Answer>(
  send: (body: Body, key: string) => Promise<Answer>,
  {
    touches = [],
    done,
  }: {
    touches?: readonly (readonly unknown[])[];
    done?: (answer: Answer, body: Body) => void;
  } = {},
): Command<Body, Answer> {
  const queries = useQueryClient();
  const attempt = useRef(new AttemptKey());
  const readAgain = () =>
    Promise.all(touches.map((queryKey) => queries.invalidateQueries({ queryKey: [...queryKey] })));
  return useMutation<Answer, Error, Body>({
    // An answer can hold a secret that is shown once: it goes with the page.
    gcTime: 0,
    mutationFn: async (body) => {
      try {
        const answer = await send(body, attempt.current.keyFor(body));
        attempt.current.settle();
        return answer;
      } catch (error) {
        if (!isOpen(error)) attempt.current.settle();
        throw error;
      }
    },
    // What stands on the page is read again first: nobody is told of a result beside a state from before it.
    onSuccess: async (answer, body) => {
      const { position } = (answer ?? {}) as { position?: unknown };
      if (typeof position === 'string') noteWritten(position);
      await readAgain();
      done?.(answer, body);
    },
    onError: () => void readAgain(),
  });
}
