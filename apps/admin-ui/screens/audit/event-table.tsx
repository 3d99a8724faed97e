import { Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { type AuditEvent } from '../../api/queries';
import { type Column, DataTable } from '../../parts/cursor-table';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { PageLink } from '../../parts/page-link';

const COLUMNS: readonly Column<AuditEvent>[] = [
  { title: 'Time', isExtra: true, isWhole: true, cell: ({ ts }) => <Time at={ts} /> },
  {
    title: 'Event',
    cell: ({ id, ts, type, stream }) => (
      <>
        <Text size="xs" c="dimmed" hiddenFrom="md">
          <Time at={ts} />
        </Text>
        <PageLink to="/audit/$id" params={{ id }} className="breaks" fw={600}>
          {type}
        </PageLink>
        <Text size="xs" c="dimmed" className="breaks">
          {visibleText(stream)}
        </Text>
      </>
    ),
  },
  { title: 'Actor', isExtra: true, cell: ({ actor }) => <ActorText actor={actor} /> },
  { title: 'Position', isExtra: true, isNumber: true, cell: ({ shard, seq }) => `${shard}:${seq}` },
];

export function EventTable({
  events,
  caption,
}: {
  events: readonly AuditEvent[];
  caption: string;
}): ReactNode {
  return <DataTable caption={caption} columns={COLUMNS} rows={events} keyOf={({ id }) => id} />;
}

export function ActorText({ actor }: { actor: AuditEvent['actor'] }): ReactNode {
  const roles = actor.roles.length === 0 ? '' : `, ${actor.roles.join(', ')}`;
  return (
    <Text span inherit className="breaks">
      {visibleText(actor.id)}{' '}
      <Text span size="xs" c="dimmed">
        ({actor.kind}
        {roles})
      </Text>
    </Text>
  );
}
