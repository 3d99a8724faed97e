import { type AuditEvent } from '../../chain/audit-event';
import { type JsonObject, type JsonValue } from '../../json/json-value';

/** What is wrong with a file; each fault starts with a stable word and a colon. */
export class EvidenceFaults {
  readonly list: string[] = [];

  /** A fault of the file as a whole. */
  add(code: string, message: string): void {
    this.list.push(`${code}: ${message}`);
  }

  /** A fault of one event. */
  at({ shard, seq }: Pick<AuditEvent, 'shard' | 'seq'>, code: string, message: string): void {
    this.list.push(`${code}: ${shard}:${seq}: ${message}`);
  }
}

/** Text for messages, and for members that must be texts: any other value becomes its JSON. */
export function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

/** Whether two values are the same JSON, whatever the order of members. */
export function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return a === b;
  const names = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === Object.keys(b).length &&
    names.every(
      (name) => Object.hasOwn(b, name) && sameJson((a as JsonObject)[name], (b as JsonObject)[name]),
    )
  );
}
