import { queryOptions } from '@tanstack/react-query';
import { answered, api } from '../../api/client';
import { PAGE, readReport } from './report';
import { type ReviewSearch } from './review-search';

/** A report stands as it was made until it is asked for again: nobody should see it change while they read. */
export function reportQuery({ through, ...filters }: ReviewSearch & { from: string; to: string }) {
  return queryOptions({
    queryKey: ['review', filters, through ?? null],
    queryFn: ({ signal }) =>
      readReport(
        (more) =>
          answered(
            api.GET('/kernel/review', { params: { query: { ...filters, limit: PAGE, ...more } }, signal }),
          ),
        through,
      ),
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}
