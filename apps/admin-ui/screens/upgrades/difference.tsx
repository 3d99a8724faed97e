import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { jsonDiff, type JsonObject } from '#evidence';
import { Failure, Loading } from '../../parts/states';
import { UpgradeLink } from '../../parts/upgrade-link';
import { visibleText } from '../../parts/visible-text';
import { comparison } from './in-force';
import { approversQuery, listQuery, signersQuery } from './upgrade-queries';

/** Longest difference that is shown, in lines. */
const MAX_LINES = 2_000;

/** What a manifest changes: the lines that the command line shows, one for each value. */
export function Difference({
  manifest,
  isClosed = false,
}: {
  manifest: JsonObject;
  isClosed?: boolean;
}): ReactNode {
  const type = typeof manifest['type'] === 'string' ? manifest['type'] : '';
  const needsPool = type === 'approver_pool' || type === 'policy';
  const needsSigners = type === 'signer_rotation';
  const needsList = !needsPool && !needsSigners && type !== 'rollback' && type !== '';
  const pool = useQuery({ ...approversQuery, enabled: needsPool });
  const signers = useQuery({ ...signersQuery, enabled: needsSigners });
  const upgrades = useQuery({ ...listQuery({ type }), enabled: needsList });
  const error = pool.error ?? signers.error ?? upgrades.error;

  if (type === 'rollback') {
    return (
      <Text>
        It undoes{' '}
        {typeof manifest['undoes'] === 'string' ? (
          <UpgradeLink id={manifest['undoes']} />
        ) : (
          'no upgrade that it names'
        )}
        ; what was in force before that comes back.
      </Text>
    );
  }
  if (pool.isLoading || signers.isLoading || upgrades.isLoading)
    return <Loading what="Reading what is in force" />;
  if (error !== null) return <Failure error={error} />;
  const compared = comparison(
    manifest,
    {
      pool: pool.data,
      signers: signers.data?.signers,
      upgrades: upgrades.data?.upgrades,
    },
    isClosed,
  );
  if (compared === null) {
    return (
      <Text c="dimmed">
        {isClosed && needsPool
          ? 'It is decided: what is in force now is no longer what it was decided against.'
          : 'There is nothing in force to compare with: nothing like it was applied among the newest upgrades of this type.'}
      </Text>
    );
  }
  const lines = jsonDiff(compared.before, compared.after);
  const shown = lines.slice(0, MAX_LINES);
  return (
    <>
      <Text size="sm" c="dimmed" mb="xs" className="breaks">
        Compared with {visibleText(compared.against)}. Lines with − go, lines with + come.
      </Text>
      {lines.length === 0 ? (
        <Text>It changes nothing.</Text>
      ) : (
        // Scrolls, so it has to be reached by keyboard (WCAG 2.1.1).
        <pre className="json" tabIndex={0} role="region" aria-label="Difference">
          {shown.map((line, at) => (
            <span key={at} data-difference={line.startsWith('+') ? 'new' : 'old'}>
              {visibleText(line)}
              {'\n'}
            </span>
          ))}
        </pre>
      )}
      {shown.length < lines.length && (
        <Text size="sm">
          And {lines.length - shown.length} more lines; ./kernel upgrade approve --dry-run shows them all.
        </Text>
      )}
    </>
  );
}
