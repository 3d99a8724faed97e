import { useEffect, useState } from 'react';
import { useAttended } from '../../api/attention';
import { followEvents, type StreamMessage } from '../../api/event-stream';
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

const OFF: Live = { events: [], state: 'off' };

/**
 * Events as they come, while somebody is at the page.
 * @param query filters, as the list has them; null: off
 * @param onStart called when the stream stands: what was recorded until then is in the lists
 */
export function useLiveEvents(query: string | null, onStart: () => void): Live {
  const attended = useAttended();
  const [live, setLive] = useState<Live>(OFF);
  useEffect(() => {
    if (query === null || !attended) {
      setLive(({ events }) => ({ events: query === null ? [] : events, state: 'off' }));
      return undefined;
    }
    const gone = new AbortController();
    let waiting: AuditEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      timer = undefined;
      const come = waiting.reverse();
      waiting = [];
      setLive(({ events }) => ({ events: [...come, ...events].slice(0, MOST), state: 'on' }));
    };
    let isFirst = true;
    const onMessages = (messages: readonly StreamMessage[]) => {
      for (const { data } of messages) if (data !== null) waiting.push(JSON.parse(data) as AuditEvent);
      // What comes faster than it is drawn would not be seen.
      if (waiting.length > MOST) waiting = waiting.slice(-MOST);
      timer ??= setTimeout(draw, DRAW_MS);
      if (isFirst) onStart();
      isFirst = false;
    };
    setLive({ events: [], state: 'connecting' });
    const path = `/kernel/audit/stream${query === '' ? '' : `?${query}`}`;
    followEvents(path, onMessages, gone.signal).catch(() => setLive({ events: [], state: 'refused' }));
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [query, attended, onStart]);
  return live;
}
