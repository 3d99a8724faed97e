import { QueryClient } from '@tanstack/react-query';
import { ApiProblem, isPassing, Unreachable } from '../api/problem';

const TRIES = 3;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/**
 * What is read may be asked for again; a command never is by itself: its button says what became of it, and the person
 * decides. What was read stays to be seen while the kernel is away.
 */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // Nobody looks at a page of the audit log for ever; the memory of a tab stays flat.
      gcTime: 2 * 60_000,
      // The kernel may be on this very machine: whether it answers is what counts.
      networkMode: 'always',
      retry: (failures, error) => failures < TRIES && isPassing(error) && !(error instanceof Unreachable),
      retryDelay: (failures, error) => {
        const asked =
          error instanceof ApiProblem && error.retryAfterS !== null ? error.retryAfterS * 1_000 : 0;
        return Math.min(Math.max(asked, FIRST_PAUSE_MS * 2 ** failures), LONGEST_PAUSE_MS);
      },
    },
    mutations: { retry: false, networkMode: 'always' },
  },
});
