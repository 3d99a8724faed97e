import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

/** Tables whose rows carry a MAC. */
export type AuthenticatedTable =
  'idempotency' | 'mode_changes' | 'sessions' | 'webhook_deliveries' | 'webhook_places';

/** A column of a row: bigint columns are numbers below 2^53, times are milliseconds since 1970. */
export type RowColumn = string | number | Uint8Array;

const DOMAIN = 'illuvrse-kernel/row/v1';
const DERIVED_DOMAIN = 'illuvrse-kernel/derived/v1';
/** Bytes of a key's id: says which of the keys it is, and nothing about it. */
const KEY_ID_BYTES = 8;
/** Bytes of a key, and of a MAC (HMAC-SHA-256, RFC 2104). */
export const ROW_KEY_BYTES = 32;
/** The one in use, and the one before it while it is replaced. */
const MAX_KEYS = 2;

/**
 * Authenticates rows that the kernel itself will act on later: whoever can write to the database but lacks this key can
 * neither make such a row nor change one (docs/security-database.md).
 */
export class RowKey {
  private readonly prefixes = new Map<AuthenticatedTable, Buffer>();

  /** @param keys the first makes MACs, each of them is accepted */
  private constructor(
    private readonly origin: string,
    private readonly keys: readonly Buffer[],
  ) {}

  /**
   * Reads a key file: one key a line, base64 of 32 bytes, at most two.
   * @throws RangeError that says what is wrong, without the key
   */
  static parse(text: string, origin: string): RowKey {
    const lines = text.split('\n').map((line) => line.trim());
    const keys = lines.filter((line) => line !== '').map((line) => Buffer.from(line, 'base64'));
    if (keys.length === 0 || keys.length > MAX_KEYS) {
      throw new RangeError(
        `expected one row key on a line, or two while it is replaced, but found ${keys.length}`,
      );
    }
    if (keys.some((key) => key.length !== ROW_KEY_BYTES)) {
      throw new RangeError(
        `expected base64 of ${ROW_KEY_BYTES} random bytes on each line (openssl rand -base64 32)`,
      );
    }
    return new RowKey(origin, keys);
  }

  /** A key that no other process has. */
  static random(origin: string): RowKey {
    return new RowKey(origin, [randomBytes(ROW_KEY_BYTES)]);
  }

  mac(table: AuthenticatedTable, columns: readonly RowColumn[]): Buffer {
    return this.compute(this.keys[0] as Buffer, table, columns);
  }

  /** Whether one of the keys made this MAC over exactly these columns of a row of this table. */
  verifies(table: AuthenticatedTable, columns: readonly RowColumn[], mac: Uint8Array): boolean {
    if (mac.length !== ROW_KEY_BYTES) return false;
    return this.keys.some((key) => timingSafeEqual(this.compute(key, table, columns), mac));
  }

  /**
   * Secrets of 32 bytes for one purpose of every process, without an id to keep: the first is used, each is accepted. None
   * tells anything about a key or about another purpose's secret.
   */
  secretsFor(purpose: string): Buffer[] {
    return this.keys.map((key) => this.expand(key, new Uint8Array(), purpose, ROW_KEY_BYTES));
  }

  /** Id of the key in use, by which `derive` finds it later. */
  get keyId(): string {
    return this.idOf(this.keys[0] as Buffer);
  }

  /**
   * Derives a secret for one use (HKDF-SHA-256, RFC 5869): the same for the same words, on every process that has the key.
   * @param keyId the key to derive from @param salt of this secret alone @param info what the secret is for
   * @returns 32 bytes; null when that key is no longer in the file
   */
  derive(keyId: string, salt: Uint8Array, info: string): Buffer | null {
    const key = this.keys.find((one) => this.idOf(one) === keyId);
    return key === undefined ? null : this.expand(key, salt, info, ROW_KEY_BYTES);
  }

  private idOf(key: Buffer): string {
    return this.expand(key, new Uint8Array(), 'key-id', KEY_ID_BYTES).toString('hex');
  }

  private expand(key: Buffer, salt: Uint8Array, info: string, bytes: number): Buffer {
    return Buffer.from(hkdfSync('sha256', key, salt, `${DERIVED_DOMAIN}\n${this.origin}\n${info}`, bytes));
  }

  /** Every column with its type and length before it: no two rows have the same encoding. */
  private compute(key: Buffer, table: AuthenticatedTable, columns: readonly RowColumn[]): Buffer {
    const hmac = createHmac('sha256', key).update(this.prefix(table));
    for (const column of columns) {
      const type = typeof column === 'string' ? 's' : typeof column === 'number' ? 'n' : 'b';
      const bytes = typeof column === 'object' ? column : Buffer.from(String(column), 'utf8');
      hmac.update(`${type}${bytes.length}:`).update(bytes);
    }
    return hmac.digest();
  }

  private prefix(table: AuthenticatedTable): Buffer {
    let prefix = this.prefixes.get(table);
    if (prefix === undefined) {
      prefix = Buffer.from(`${DOMAIN}\n${this.origin}\n${table}\n`);
      this.prefixes.set(table, prefix);
    }
    return prefix;
  }
}
