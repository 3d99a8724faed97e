import { type ReactNode } from 'react';
import { permitted, useSession } from '../session/session';
import { PageLink } from './page-link';

/** Leads to what is recorded about an upgrade: the one place that says where an upgrade is shown. */
export function UpgradeLink({ id }: { id: string }): ReactNode {
  // An approver without a role reads upgrades, and not the chain.
  if (permitted(useSession(), 'audit.read') !== 'all') return <strong>{id}</strong>;
  return (
    <PageLink to="/audit" search={{ stream: `upgrade/${id}` }}>
      {id}
    </PageLink>
  );
}
