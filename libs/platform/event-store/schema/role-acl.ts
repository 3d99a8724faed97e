import { type QueryRunner } from 'typeorm';
import { SCHEMA } from './data-source';
import { INDEX_SCHEMA } from './migrations/audit-index.schema';

/** Rights on everything in the kernel's schemas, each as `<grantee>: <right> ON <object>`. */
const RIGHTS = `
  WITH schemas AS (SELECT oid, nspname, nspacl, nspowner FROM pg_namespace WHERE nspname = ANY ($1)),
  granted AS (
    SELECT 'SCHEMA ' || nspname AS what, nspacl AS acl FROM schemas
    UNION ALL
    SELECT c.oid::regclass::text, c.relacl FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT c.oid::regclass::text || ' (' || a.attname || ')', a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN schemas s ON s.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    -- Without an entry of its own, everybody may call a function.
    SELECT 'FUNCTION ' || p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'future objects (' || d.defaclobjtype::text || ') of ' || s.nspname, d.defaclacl
    FROM pg_default_acl d JOIN schemas s ON s.oid = d.defaclnamespace)
  SELECT coalesce(r.rolname, 'PUBLIC') || ': ' || x.privilege_type || ' ON ' || g.what AS "right"
  FROM granted g CROSS JOIN LATERAL aclexplode(g.acl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
  WHERE x.grantee = 0 OR r.rolname = ANY ($2)
  ORDER BY 1`;

/** Returns the rights of roles, and of everybody, on what the kernel's schemas hold, in the order of the alphabet. */
export async function rightsOf(runner: QueryRunner, roles: readonly string[]): Promise<string[]> {
  const rows = (await runner.query(RIGHTS, [[SCHEMA, INDEX_SCHEMA], roles])) as { right: string }[];
  return rows.map(({ right }) => right);
}
