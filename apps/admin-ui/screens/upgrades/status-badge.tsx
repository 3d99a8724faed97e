import { Badge } from '@mantine/core';
import { type ReactNode } from 'react';
import { type UpgradeStatus } from '../../api/queries';
import { STATUSES } from './lists';

export function StatusBadge({ status }: { status: UpgradeStatus }): ReactNode {
  const { label, color, meaning } = STATUSES[status];
  return (
    <Badge
      variant="outline"
      color={color}
      title={meaning}
      style={{ flexShrink: 0 }}
      styles={{ label: { color: 'var(--mantine-color-text)' } }}
    >
      {label}
    </Badge>
  );
}
