/**
 * A session that puts its own operators first must not change what the function compares. And a plan made while a table is
 * nearly empty is kept until the next ANALYZE: it must not be a sequential scan, whatever the table's size by then. Nor is it
 * made anew: partitions are looked for when it runs.
 */
const SETTINGS =
  'SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan';

/**
 * Makes the function that reads all that a group needs to know before it is numbered, in one round trip and (STABLE) one
 * snapshot. Texts rather than arrays: one split on the client's side is cheaper than parsing an array.
 *
 * A stream's version counts in the stream's own shard alone: a row that nobody signed, in another one, must not decide what
 * is signed here. It is looked past only where there is one: with a condition on the shard the planner would, before the first
 * ANALYZE, read the whole stream.
 */
export const APPEND_STATE_FUNCTION = `
  CREATE FUNCTION kernel.append_state(
    in_shard integer, streams text[], callers text[], keys text[], ids uuid[],
    OUT head_seq bigint, OUT head_hash text, OUT head_ms bigint, OUT versions text, OUT claims json, OUT existing text,
    OUT head_kid text, OUT head_fence bigint
  ) LANGUAGE plpgsql STABLE ${SETTINGS} AS $$
  BEGIN
    SELECT h.seq, encode(h.hash, 'hex'), extract(epoch FROM h.ts) * 1000, h.fence
      INTO head_seq, head_hash, head_ms, head_fence
      FROM kernel.shard_head h WHERE h.shard = in_shard;
    head_kid := (SELECT e.signer_kid FROM kernel.events e WHERE e.shard = in_shard AND e.seq = head_seq);
    versions := (
      SELECT string_agg(coalesce(
          CASE WHEN v.shard <> in_shard
          THEN (SELECT max(k.stream_version) FROM kernel.event_keys k WHERE k.stream = s.name AND k.shard = in_shard)
          ELSE v.version END, 0)::text, ',' ORDER BY s.n)
      FROM unnest(streams) WITH ORDINALITY AS s(name, n)
      LEFT JOIN LATERAL (SELECT k.shard, k.stream_version AS version FROM kernel.event_keys k
                         WHERE k.stream = s.name ORDER BY k.stream_version DESC LIMIT 1) v ON true);
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
        JOIN LATERAL (SELECT k.id FROM kernel.event_keys k WHERE k.id = g.id LIMIT 1) f ON true);
    END IF;
  END $$`;
