import { queryOptions } from '@tanstack/react-query';
import { type components } from '#openapi/kernel';
import { answered, api } from '../../api/client';
import { ApiProblem } from '../../api/problem';

export type OpenSession = components['schemas']['Session'];

const PAGE = 50;
/** A SuperAdmin's list has everyone's; one's own are looked for in this many of the largest pages. */
const MOST_PAGES = 25;
const LARGEST_PAGE = 200;

export interface OwnSessions {
  readonly sessions: readonly OpenSession[];
  /** Whether there were more pages than were looked at. */
  readonly isPart: boolean;
}

export function ownSessionsQuery(principal: string) {
  return queryOptions({
    queryKey: ['sessions', 'own', principal],
    queryFn: async ({ signal }): Promise<OwnSessions> => {
      const sessions: OpenSession[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const query: { limit: number; cursor?: string } = {
          limit: LARGEST_PAGE,
          ...(cursor !== null && { cursor }),
        };
        const answer = await answered(api.GET('/kernel/sessions', { params: { query }, signal }));
        sessions.push(...answer.sessions.filter((one) => one.principal === principal));
        cursor = answer.nextCursor;
        if (cursor === null) break;
      }
      return { sessions, isPart: cursor !== null };
    },
  });
}

/** Everyone's sessions, one page. */
export function sessionsQuery(cursor: string | undefined) {
  return queryOptions({
    queryKey: ['sessions', 'all', cursor],
    queryFn: ({ signal }) => {
      const query = { limit: PAGE, ...(cursor !== undefined && { cursor }) };
      return answered(api.GET('/kernel/sessions', { params: { query }, signal }));
    },
  });
}

/** Ends sessions, one after the other. One that has ended meanwhile has ended. */
export async function endSessions(ids: readonly string[]): Promise<{ ended: number }> {
  for (const id of ids) {
    try {
      await answered(api.DELETE('/kernel/sessions/{id}', { params: { path: { id } } }));
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    }
  }
  return { ended: ids.length };
}
