import { Alert, Button, Card, Center, Loader, Stack, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef } from 'react';
import { useConnection } from '../api/connection';
import { told } from '../api/problem';
import { sessionQuery, signInAddress } from './session';
import { SessionDialogs } from './session-dialogs';

/** How often the kernel is asked again while it does not say who is signed in. */
const RETRY_MS = 5_000;

/** Lets nobody past who is not signed in. A page that is open when its session ends stays, with what was typed. */
export function SessionGate({ children }: { children: ReactNode }): ReactNode {
  const queries = useQueryClient();
  const { ended } = useConnection();
  const {
    data: session,
    error,
    refetch,
  } = useQuery({
    ...sessionQuery,
    // When somebody comes back to the tab: they may have signed in, or out, in another.
    refetchOnWindowFocus: 'always',
    refetchInterval: ({ state }) => (state.error === null ? false : RETRY_MS),
  });

  const principal = session?.principal;
  const first = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (principal === undefined) return;
    // Somebody else signed in in another tab: nothing of the person before may stay to be seen.
    if (first.current !== undefined && first.current !== principal) location.reload();
    first.current = principal;
  }, [principal]);

  const wasEnded = useRef(false);
  useEffect(() => {
    if (wasEnded.current && !ended) void queries.invalidateQueries();
    wasEnded.current = ended;
  }, [ended, queries]);

  if (session === undefined) {
    return error === null ? <Waiting /> : <Away error={error} retry={() => void refetch()} />;
  }
  if (session === null) return <SignIn />;
  return (
    <>
      {children}
      <SessionDialogs ended={ended} />
    </>
  );
}

function Waiting(): ReactNode {
  return (
    <Center mih="60vh">
      <Loader aria-label="Loading" />
    </Center>
  );
}

function Away({ error, retry }: { error: unknown; retry: () => void }): ReactNode {
  const { title, detail } = told(error);
  return (
    <Page title="Illuvrse kernel">
      <Alert color="red" title={title} role="alert">
        {detail}
      </Alert>
      <Button onClick={retry}>Try again</Button>
    </Page>
  );
}

function SignIn(): ReactNode {
  return (
    <Page title="Illuvrse kernel">
      <Text>
        Here you see what this kernel has signed, recorded and decided, and decide yourself where that is your
        part. Sign in with the account of your organisation.
      </Text>
      <Button component="a" href={signInAddress()} size="md">
        Sign in
      </Button>
    </Page>
  );
}

function Page({ title, children }: { title: string; children: ReactNode }): ReactNode {
  return (
    <Center mih="80vh" p="md" component="main">
      <Card withBorder shadow="sm" padding="xl" maw={460} w="100%">
        <Stack gap="lg">
          <Title order={1} size="h2">
            {title}
          </Title>
          {children}
        </Stack>
      </Card>
    </Center>
  );
}
