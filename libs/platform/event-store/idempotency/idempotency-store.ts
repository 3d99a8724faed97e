import { type Answer, type StoredAnswer } from '../event-store.types';
import { integrityError, type RowFault, type OnRowFault } from '../integrity/row-fault';
import { type RowColumn, type RowKey } from '../integrity/row-key';
import { type Database, isStorable } from '#platform/postgres';

export interface AnswerRecord extends Answer {
  caller: string;
  key: string;
  requestHash: string;
}

export interface RecordedAnswer extends Answer {
  /** False when an earlier request with this key had stored its answer. */
  recorded: boolean;
}

interface AnswerRow {
  request_hash: string;
  status: number;
  body: Buffer;
  created_ms: string;
  mac: Buffer;
}

/** Rows removed by one statement: a purge must never delay concurrent commits. */
const PURGE_BATCH = 500;

const STORED_ANSWER = {
  name: 'kernel_stored_answer',
  text: 'SELECT request_hash, status, body, created_ms, mac FROM kernel.stored_answer($1, $2)',
};

/**
 * MAC of a stored answer: an answer is a statement of the kernel, and only the kernel may have made it.
 * @param createdAt milliseconds since 1970: an old row that is put back is forgotten again at its age
 */
export function answerMac(key: RowKey, record: AnswerRecord, createdAt: number): Buffer {
  return key.mac('idempotency', columnsOf(record, createdAt));
}

function columnsOf({ caller, key, requestHash, status, body }: AnswerRecord, createdAt: number): RowColumn[] {
  return [caller, key, requestHash, status, body, createdAt];
}

/** Answers by caller and key. Appends write theirs themselves. */
export class IdempotencyStore {
  constructor(
    private readonly database: Database,
    /** Milliseconds since 1970. */
    private readonly now: () => number,
    private readonly retentionMs: number,
    private readonly rowKey: RowKey,
    private readonly onFault: OnRowFault = () => undefined,
  ) {}

  /** @throws EventStoreError `integrity` for a row that no kernel made */
  async find(caller: string, key: string): Promise<StoredAnswer | null> {
    if (!isStorable(caller) || !isStorable(key)) return null;
    const [row] = await this.database.query<AnswerRow>(STORED_ANSWER, [caller, key]);
    if (row === undefined) return null;
    const stored = { requestHash: row.request_hash, status: row.status, body: row.body };
    const columns = columnsOf({ caller, key, ...stored }, Number(row.created_ms));
    if (this.rowKey.verifies('idempotency', columns, row.mac)) return stored;
    const fault: RowFault = {
      where: 'answer',
      message: `The stored answer of ${JSON.stringify(caller)} for the key ${JSON.stringify(key)} was not made by this kernel.`,
    };
    this.onFault(fault);
    throw integrityError(fault);
  }

  /** Returns the valid answer, and whether it is this one. Waits for a concurrent commit with the same key. */
  async record(record: AnswerRecord): Promise<{ stored: StoredAnswer; recorded: boolean }> {
    const { caller, key, requestHash, status, body } = record;
    for (;;) {
      const now = this.now();
      const inserted = await this.database.query(
        `INSERT INTO kernel.idempotency (caller, key, request_hash, status, body, created_at, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true`,
        [
          caller,
          key,
          requestHash,
          status,
          Buffer.from(body),
          new Date(now).toISOString(),
          answerMac(this.rowKey, record, now),
        ],
      );
      if (inserted.length > 0) return { stored: { requestHash, status, body }, recorded: true };
      const stored = await this.find(caller, key);
      if (stored) return { stored, recorded: false };
      // It was purged between the two statements.
    }
  }

  /** Returns how many were forgotten. Several processes may purge at once: each skips what another has removed. */
  async purge(signal: AbortSignal): Promise<number> {
    const before = new Date(this.now() - this.retentionMs).toISOString();
    let total = 0;
    while (!signal.aborted) {
      const removed = await this.database.query(
        `DELETE FROM kernel.idempotency WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM kernel.idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2
         )) AND created_at < $1 RETURNING true`,
        [before, PURGE_BATCH],
      );
      total += removed.length;
      if (removed.length < PURGE_BATCH) break;
    }
    return total;
  }
}
