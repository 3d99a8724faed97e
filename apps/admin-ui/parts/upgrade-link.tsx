import { type ReactNode } from 'react';
import { PageLink } from './page-link';
import { visibleText } from './visible-text';

/** Leads to an upgrade: the one place that says where an upgrade is shown. */
export function UpgradeLink({ id }: { id: string }): ReactNode {
  return (
    <PageLink to="/upgrades/$id" params={{ id }} className="breaks">
      {visibleText(id)}
    </PageLink>
  );
}
