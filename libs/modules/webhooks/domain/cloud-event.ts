import { type AuditEvent } from '#evidence';

/** CloudEvents 1.0, JSON format, structured mode. */
export const CLOUD_EVENT_TYPE = 'application/cloudevents+json; charset=utf-8';

/**
 * A body for an event. `data` is the whole event in its canonical bytes, so that the receiver can check hash, signature and
 * receipt of what it got (docs/spec/audit-event.md), and `id` is the event's own: the same however often it is sent.
 */
export function cloudEventOf(
  { event, bytes }: { event: AuditEvent; bytes: Uint8Array },
  origin: string,
): string {
  const attributes = JSON.stringify({
    specversion: '1.0',
    id: event.id,
    source: origin,
    type: event.type,
    subject: event.stream,
    time: event.ts,
    datacontenttype: 'application/json',
  });
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return `${attributes.slice(0, -1)},"data":${data}}`;
}
