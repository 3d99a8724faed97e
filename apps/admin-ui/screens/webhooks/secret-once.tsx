import { Alert, Stack, Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { CopyButton } from '../../parts/copy-button';

/** The secret of a webhook, as the answer had it: nothing keeps it, and it is gone when the page is left. */
export function SecretOnce({ secret }: { secret: string | null }): ReactNode {
  if (secret === null) {
    return (
      <Alert color="orange" role="alert" title="The secret is not shown any more">
        It was shown before, and has been replaced since. Rotate it to get another one.
      </Alert>
    );
  }
  return (
    <Alert color="orange" role="alert" title="The secret: shown once, now">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">
          Give it to the receiver, which verifies with it what it is sent. It is not kept here, and nobody can
          look it up.
        </Text>
        <span className="mono breaks">{secret}</span>
        <CopyButton text={secret} what="the secret" size="compact-sm" />
      </Stack>
    </Alert>
  );
}
