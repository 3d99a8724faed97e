import { useMutation, type UseMutationResult, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { Unreachable } from '../../api/problem';
import { AttemptKey } from './attempt-key';
import { noteWritten } from './written-position';

export type Command<Body, Answer> = UseMutationResult<Answer, Error, Body>;

/**
 * A command to the kernel: sent once for each press, with the key of its attempt, and done when the kernel has answered.
 * @param send sends the body with the `Idempotency-Key`
 * @param touches keys of queries that are read again afterwards
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
  return useMutation<Answer, Error, Body>({
    // An answer can hold a secret that is shown once: it goes with the page.
    gcTime: 0,
    mutationFn: async (body) => {
      try {
        const answer = await send(body, attempt.current.keyFor(body));
        attempt.current.settle();
        return answer;
      } catch (error) {
        if (!(error instanceof Unreachable)) attempt.current.settle();
        throw error;
      }
    },
    onSuccess: async (answer, body) => {
      const { position } = (answer ?? {}) as { position?: unknown };
      if (typeof position === 'string') noteWritten(position);
      done?.(answer, body);
      await Promise.all(touches.map((queryKey) => queries.invalidateQueries({ queryKey: [...queryKey] })));
    },
  });
}
