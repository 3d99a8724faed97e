import { Button, Container, Stack, Text, Title } from '@mantine/core';
import { Component, type ReactNode } from 'react';
import { told } from '../api/problem';

/** What is left of a page that failed: what happened, and a way on. */
export function FailedPage({ error, reset }: { error: unknown; reset?: () => void }): ReactNode {
  const { title, detail } = told(error);
  // After an update of the kernel the files of the old page are gone.
  const isGone = /dynamically imported module|digest|preload/i.test(detail);
  return (
    <Container size="sm" py="xl" role="alert">
      <Stack gap="md" align="flex-start">
        <Title order={1}>{isGone ? 'The kernel was updated' : title}</Title>
        <Text className="breaks">
          {isGone ? 'This page is of an earlier version; load it again.' : detail}
        </Text>
        <Button onClick={() => (reset === undefined || isGone ? location.reload() : reset())}>
          {reset === undefined || isGone ? 'Load the page again' : 'Try again'}
        </Button>
      </Stack>
    </Container>
  );
}

interface State {
  readonly error: unknown;
}

/** The last resort around everything; the router has a boundary of its own around each screen. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render(): ReactNode {
    return this.state.error === null ? this.props.children : <FailedPage error={this.state.error} />;
  }
}
