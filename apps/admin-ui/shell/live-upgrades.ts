import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useAttended } from '../api/attention';
import { useConnection } from '../api/connection';
import { followEvents } from '../api/event-stream';
import { permitted, useSession } from '../session/session';

/** How soon after an event what depends on it is read again: several come together. */
const PAUSE_MS = 500;

/**
 * Reads upgrades again as soon as something was recorded about one. Only while somebody is at the page, since a browser has
 * few connections to one place, and every tab would take one.
 */
export function useLiveUpgrades(): void {
  const queries = useQueryClient();
  const session = useSession();
  const attended = useAttended();
  const { ended } = useConnection();
  // A lead's stream has the events of their division, and upgrades belong to none.
  const follows = permitted(session, 'audit.read') === 'all' && attended && !ended;
  useEffect(() => {
    if (!follows) return undefined;
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onMessages = (messages: readonly { data: string | null }[]) => {
      if (messages.every(({ data }) => data === null)) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        void queries.invalidateQueries({ queryKey: ['upgrades'] });
      }, PAUSE_MS);
    };
    // What is refused for good is asked for at intervals all the same.
    followEvents('/kernel/audit/stream?subject=upgrade%2F', onMessages, gone.signal).catch(() => undefined);
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [follows, queries]);
}
