import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { openPool, type PoolClient } from '#platform/postgres';
import { EventStoreError } from '../event-store.error';

/** A role of the kernel's database. */
export interface RoleToMake {
  readonly name: string;
  /** Null: it logs in without one (by certificate, by the cloud's identity), or a DBA has set it. */
  readonly password: string | null;
}

export interface RolesToMake {
  /** Name of the database, made when it is not there. */
  readonly database: string;
  /** Owns database and schema, and migrates. */
  readonly owner: RoleToMake;
  readonly runtime: RoleToMake;
  readonly worker: RoleToMake;
}

/** As PostgreSQL's own clients: `scram_iterations`. */
const ITERATIONS = 4_096;
const SALT_BYTES = 16;
/** A copy of an empty database is made in seconds. */
const TIMEOUT_MS = 60_000;
/** One at a time, as long as all connect to the same database of the server: locks belong to one. */
const LOCK = `hashtextextended('illuvrse-kernel/create-roles', 0)`;

/**
 * Makes the three roles and the database as far as they are missing, sets the passwords that are given, and lets only the
 * three connect. What else a role has is left alone, but a role that could do more than its task is refused. Safe to
 * repeat, and to run twice at once.
 * @param adminUrl a superuser's; any database of the server, the same each time
 * @returns what was made, a sentence each
 * @throws EventStoreError `invalid_request` for roles that cannot be; errors of PostgreSQL as they are
 */
export async function createRoles(adminUrl: string, roles: RolesToMake): Promise<string[]> {
  const wanted = [roles.owner, roles.runtime, roles.worker];
  refuseImpossible(wanted);
  const pool = openPool({
    url: adminUrl,
    applicationName: 'kernel-migrate',
    connections: 1,
    timeoutMs: TIMEOUT_MS,
  });
  const made: string[] = [];
  try {
    const client = await pool.connect();
    try {
      await client.query(`SELECT pg_advisory_lock(${LOCK})`);
      for (const role of wanted) made.push(...(await ensureRole(client, role)));
      made.push(...(await ensureDatabase(client, roles)));
      return made;
    } finally {
      // With its session its lock ends.
      client.release(true);
    }
  } finally {
    await pool.end();
  }
}

function refuseImpossible(wanted: readonly RoleToMake[]): void {
  if (new Set(wanted.map(({ name }) => name)).size < wanted.length) {
    throw new EventStoreError(
      'invalid_request',
      `Owner, kernel and workers need a role each, not ${wanted.map(({ name }) => JSON.stringify(name)).join(', ')}.`,
    );
  }
  for (const { name, password } of wanted) {
    // Other texts are prepared (RFC 4013) before they are hashed, which not every client does alike.
    if (password !== null && !/^[\x21-\x7e]+$/.test(password)) {
      throw new EventStoreError(
        'invalid_request',
        `The password of the role ${JSON.stringify(name)} must be of printable ASCII characters without spaces.`,
      );
    }
  }
}

async function ensureRole(client: PoolClient, { name, password }: RoleToMake): Promise<string[]> {
  const role = client.escapeIdentifier(name);
  const { rows } = await client.query<{ login: boolean; powers: string[] }>(
    `SELECT rolcanlogin AS login, array_remove(ARRAY[
       CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
       CASE WHEN rolreplication THEN 'REPLICATION' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS powers
     FROM pg_roles WHERE rolname = $1`,
    [name],
  );
  const [found] = rows;
  const made: string[] = [];
  if (found === undefined) {
    await client.query(`CREATE ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION`);
    made.push(`made the role ${name}`);
  } else if (found.powers.length > 0) {
    throw new EventStoreError(
      'invalid_request',
      `The role ${JSON.stringify(name)} has ${found.powers.join(', ')}, which the kernel's roles must not have; take that away or name another role.`,
    );
  } else if (!found.login) {
    await client.query(`ALTER ROLE ${role} LOGIN`);
    made.push(`let the role ${name} log in`);
  }
  if (password !== null) {
    // Not the password itself: the server may log statements.
    await client.query(`ALTER ROLE ${role} PASSWORD ${client.escapeLiteral(scramVerifier(password))}`);
    made.push(`set the password of ${name}`);
  }
  return made;
}

async function ensureDatabase(client: PoolClient, roles: RolesToMake): Promise<string[]> {
  const database = client.escapeIdentifier(roles.database);
  const owner = client.escapeIdentifier(roles.owner.name);
  const made: string[] = [];
  const { rows } = await client.query<{ owner: string }>(
    `SELECT r.rolname AS owner FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = $1`,
    [roles.database],
  );
  const [found] = rows;
  if (found === undefined) {
    await client.query(`CREATE DATABASE ${database} OWNER ${owner}`);
    made.push(`made the database ${roles.database}`);
  } else if (found.owner !== roles.owner.name) {
    // Not taken over: it may be another program's. The owner needs no more than to make its schemas there.
    await client.query(`GRANT CREATE, CONNECT ON DATABASE ${database} TO ${owner}`);
    made.push(`let ${roles.owner.name} make schemas in ${roles.database}, which belongs to ${found.owner}`);
  }
  await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  const others = [roles.runtime, roles.worker].map(({ name }) => client.escapeIdentifier(name));
  await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${others.join(', ')}`);
  return made;
}

/** Returns what the server keeps of a password: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (RFC 5802, RFC 7677). */
function scramVerifier(password: string): string {
  const salt = randomBytes(SALT_BYTES);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${keyed('Server Key').toString('base64')}`;
}
