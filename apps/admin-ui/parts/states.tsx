import { Alert, Button, Center, Group, Loader, Stack, Text } from '@mantine/core';
import { type UseQueryResult } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { ApiProblem, told, Unreachable } from '../api/problem';
import { Time } from './times';

export function Loading({ what = 'Loading' }: { what?: string }): ReactNode {
  return (
    <Center py="xl" role="status">
      <Group gap="sm">
        <Loader size="sm" aria-hidden />
        <Text c="dimmed">{what} …</Text>
      </Group>
    </Center>
  );
}

/** Nothing is there, and what would put something there. */
export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactNode {
  return (
    <Stack gap={4} py="sm" align="center">
      <Text fw={600}>{title}</Text>
      {children !== undefined && (
        <Text c="dimmed" ta="center" maw={520}>
          {children}
        </Text>
      )}
    </Stack>
  );
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }): ReactNode {
  if (error instanceof ApiProblem && error.status === 403) return <Forbidden why={error.message} />;
  const { title, detail, reference } = told(error);
  const isAway = error instanceof Unreachable;
  return (
    <Alert color={isAway ? 'yellow' : 'red'} title={title} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm" className="breaks">
          {detail}
        </Text>
        {reference !== null && (
          <Text size="sm">
            For the operators: the log has the cause under <span className="mono">{reference}</span>.
          </Text>
        )}
        {retry !== undefined && (
          <Button size="compact-sm" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** What a person may not see, why, and whom to ask. */
export function Forbidden({ why }: { why: string }): ReactNode {
  return (
    <Alert color="gray" variant="outline" title="You may not see this" role="note">
      <Text size="sm" className="breaks">
        {why} Roles come from your organisation&rsquo;s identity provider; whoever looks after it can change
        them.
      </Text>
    </Alert>
  );
}

/**
 * The states of one read: loading, failed (with what was read before, where there is something), forbidden, there.
 * `Children` gets what was read.
 */
export function Loaded<T>({
  query,
  what,
  children,
}: {
  query: Pick<UseQueryResult<T>, 'data' | 'error' | 'refetch' | 'dataUpdatedAt'>;
  what?: string;
  children: (data: T) => ReactNode;
}): ReactNode {
  const { data, error, refetch, dataUpdatedAt } = query;
  if (data === undefined) {
    if (error !== null) return <Failure error={error} retry={() => void refetch()} />;
    return <Loading {...(what !== undefined && { what })} />;
  }
  return (
    <>
      {error !== null && !(error instanceof ApiProblem && error.status === 401) && (
        <Alert color="yellow" mb="sm" role="status" title={told(error).title}>
          What you see is from <Time at={new Date(dataUpdatedAt).toISOString()} />.
        </Alert>
      )}
      {children(data)}
    </>
  );
}
