import { Button, Group, Table, Text } from '@mantine/core';
import { type ReactNode } from 'react';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** Left out where there is little room. */
  readonly isExtra?: boolean;
  readonly isNumber?: boolean;
  /** Short values that are read as one. */
  readonly isWhole?: boolean;
}

/** A table for one page of a list; long or wide, it scrolls by itself and not the page. */
export function DataTable<Row>({
  caption,
  columns,
  rows,
  keyOf,
}: {
  /** What is listed, for those who hear it. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
}): ReactNode {
  const from = (column: Column<Row>) => (column.isExtra === true ? { visibleFrom: 'md' as const } : {});
  return (
    // Scrolls sideways where it is wider than the page, so it has to be reached by keyboard (WCAG 2.1.1).
    <div className="scroll-x" tabIndex={0} role="region" aria-label={caption}>
      <Table verticalSpacing="xs" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th
                key={column.title}
                scope="col"
                {...(column.isNumber === true && { ta: 'right' as const })}
                {...from(column)}
              >
                {column.title}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={keyOf(row)}>
              {columns.map((column) => (
                <Table.Td
                  key={column.title}
                  {...(column.isNumber === true && { ta: 'right' as const, className: 'numbers' })}
                  {...(column.isWhole === true && { style: { whiteSpace: 'nowrap' } })}
                  {...from(column)}
                >
                  {column.cell(row)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/**
 * Paging by cursor: lists go one way, and the browser's own button goes back, since the cursor is in the address. One page
 * is held at a time, however far somebody goes.
 */
export function CursorPaging({
  cursor,
  nextCursor,
  count,
  what,
  go,
}: {
  cursor: string | undefined;
  nextCursor: string | null;
  count: number;
  what: string;
  go: (cursor: string | undefined) => void;
}): ReactNode {
  return (
    <Group justify="space-between" mt="sm" component="nav" aria-label="Pages">
      <Text size="sm" c="dimmed" role="status">
        {count === 1 ? `1 ${what}` : `${count} ${what}s`} on this page
      </Text>
      <Group gap="xs">
        {cursor !== undefined && (
          <Button variant="default" size="sm" onClick={() => go(undefined)}>
            First page
          </Button>
        )}
        {nextCursor === null ? (
          <Text size="sm" c="dimmed">
            This is the last page
          </Text>
        ) : (
          <Button variant="default" size="sm" onClick={() => go(nextCursor)}>
            Next page
          </Button>
        )}
      </Group>
    </Group>
  );
}
