import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Keeps two keys from signing side by side: the key that signed the head, for the process that numbers the next group,
 * and the ended keys, for the statement that commits it. Every registry event is announced.
 */
export class SignerSwitch1764800000000 implements MigrationInterface {
  readonly name = 'SignerSwitch1764800000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** The process that signs next would no longer know which keys have ended. */
  async down(): Promise<void> {
    throw new Error('The fence of ended keys cannot be migrated away.');
  }
}

const SETTINGS = 'SET search_path = pg_catalog, pg_temp';

const STATEMENTS = [
  `CREATE TABLE kernel.ended_signers (kid text PRIMARY KEY, ended_at timestamptz NOT NULL)`,

  // As the owner: the kernel's role reads the table and cannot write it. Payloads are text from the chain, so nothing
  // here may fail because of their content.
  `CREATE FUNCTION kernel.note_signer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER ${SETTINGS} AS $$
   DECLARE
     kid text;
   BEGIN
     IF NEW.type IN ('signer.retired', 'signer.compromised', 'signer.emergency') THEN
       kid := convert_from(NEW.canonical, 'UTF8')::jsonb -> 'payload' ->>
         CASE WHEN NEW.type = 'signer.emergency' THEN 'from' ELSE 'signer_kid' END;
       IF kid IS NOT NULL THEN
         INSERT INTO kernel.ended_signers VALUES (kid, NEW.ts) ON CONFLICT DO NOTHING;
       END IF;
     END IF;
     PERFORM pg_notify('kernel_signers', NEW.type);
     RETURN NULL;
   END $$`,
  `REVOKE ALL ON FUNCTION kernel.note_signer FROM PUBLIC`,
  `CREATE TRIGGER events_note_signer AFTER INSERT ON kernel.events
     FOR EACH ROW WHEN (NEW.stream LIKE 'signer/%') EXECUTE FUNCTION kernel.note_signer()`,
  `ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER events_note_signer`,
  `INSERT INTO kernel.ended_signers
     SELECT kid, min(ts) FROM (
       SELECT convert_from(e.canonical, 'UTF8')::jsonb -> 'payload' ->> 'signer_kid' AS kid, e.ts
       FROM kernel.events e WHERE e.type IN ('signer.retired', 'signer.compromised') AND e.stream LIKE 'signer/%') ended
     WHERE kid IS NOT NULL GROUP BY kid`,

  // One more column: the key that signed the head. Code for the earlier schema reads the others by name.
  `DROP FUNCTION kernel.append_state(integer, text[], text[], text[], uuid[])`,
  `CREATE FUNCTION kernel.append_state(
     in_shard integer, streams text[], callers text[], keys text[], ids uuid[],
     OUT head_seq bigint, OUT head_hash text, OUT head_ms bigint, OUT versions text, OUT claims json, OUT existing text,
     OUT head_kid text
   ) LANGUAGE plpgsql STABLE ${SETTINGS} SET enable_seqscan = off AS $$
   BEGIN
     SELECT h.seq, encode(h.hash, 'hex'), extract(epoch FROM h.ts) * 1000
       INTO head_seq, head_hash, head_ms
       FROM kernel.shard_head h WHERE h.shard = in_shard;
     head_kid := (SELECT e.signer_kid FROM kernel.events e WHERE e.shard = in_shard AND e.seq = head_seq);
     versions := (
       SELECT string_agg(coalesce(v.version, 0)::text, ',' ORDER BY s.n)
       FROM unnest(streams) WITH ORDINALITY AS s(name, n)
       LEFT JOIN LATERAL (SELECT e.stream_version AS version FROM kernel.events e WHERE e.stream = s.name
                          ORDER BY e.stream_version DESC LIMIT 1) v ON true);
     IF cardinality(callers) > 0 THEN
       claims := (
         SELECT json_agg(json_build_array(k.n, i.request_hash))
         FROM unnest(callers, keys) WITH ORDINALITY AS k(caller, key, n)
         JOIN LATERAL (SELECT a.request_hash FROM kernel.idempotency a
                       WHERE a.caller = k.caller AND a.key = k.key LIMIT 1) i ON true);
     END IF;
     IF cardinality(ids) > 0 THEN
       existing := (
         SELECT string_agg(f.id::text, ',')
         FROM unnest(ids) AS g(id)
         JOIN LATERAL (SELECT e.id FROM kernel.events e WHERE e.id = g.id LIMIT 1) f ON true);
     END IF;
   END $$`,
  `REVOKE ALL ON FUNCTION kernel.append_state FROM PUBLIC`,
];
