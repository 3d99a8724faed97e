import { useEffect, useState } from 'react';
import { useAttended } from '../../api/attention';
import { followEvents } from '../../api/event-stream';
import { type StreamMessage } from '../../api/message-splitter';
import { type AuditEvent } from '../../api/queries';

/** Most events that are kept: a page that is open for hours stays as it was. */
const MOST = 200;
/** How often the page is drawn anew, at most. */
const DRAW_MS = 250;

export interface Live {
  /** Newest first. */
  readonly events: readonly AuditEvent[];
  readonly state: 'off' | 'connecting' | 'on' | 'refused';
}

interface State extends Live {
  /** What it was read for. */
  readonly query: string | null;
}

/**
 * Events as they come, while somebody is at the page.
 * @param query filters, as the list has them; null: off
 * @param onStart called when the stream stands: what was recorded until then is in the lists
 */
export function useLiveEvents(query: string | null, onStart: () => void): Live {
  const attended = useAttended();
  const [live, setLive] = useState<State>({ query: null, events: [], state: 'off' });
  useEffect(() => {
    if (query === null || !attended) return undefined;
    const gone = new AbortController();
    let waiting: AuditEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      timer = undefined;
      const come = waiting.reverse();
      waiting = [];
      setLive(({ events }) => ({ query, events: [...come, ...events].slice(0, MOST), state: 'on' }));
    };
    let isFirst = true;
    const onMessages = (messages: readonly StreamMessage[]) => {
      if (isFirst) {
        isFirst = false;
        // What came before an interruption is in the list by now, and what came in it too.
        setLive({ query, events: [], state: 'on' });
        onStart();
      }
      for (const { data } of messages) if (data !== null) waiting.push(JSON.parse(data) as AuditEvent);
      // What comes faster than it is drawn would not be seen.
      if (waiting.length > MOST) waiting = waiting.slice(-MOST);
      if (waiting.length > 0) timer ??= setTimeout(draw, DRAW_MS);
    };
    const path = `/kernel/audit/stream${query === '' ? '' : `?${query}`}`;
    followEvents(path, onMessages, gone.signal).catch(() => setLive({ query, events: [], state: 'refused' }));
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [query, attended, onStart]);

  if (query === null) return { events: [], state: 'off' };
  if (live.query !== query) return { events: [], state: attended ? 'connecting' : 'off' };
  return { events: live.events, state: attended ? live.state : 'off' };
}
