import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { noteWantsFresh, useConnection } from '../api/connection';
import { signInAddress } from './session';

/** What stands over the page when somebody has to sign in again: it comes back to this place, with what was typed. */
export function SessionDialogs({ ended }: { ended: boolean }): ReactNode {
  const { wantsFresh } = useConnection();
  return (
    <>
      <Modal
        opened={ended}
        onClose={() => undefined}
        withCloseButton={false}
        closeOnEscape={false}
        closeOnClickOutside={false}
        title="Your session has ended"
        centered
      >
        <Stack>
          <Text>Sign in again to go on here. What you have typed is kept.</Text>
          <Group justify="flex-end">
            <Button component="a" href={signInAddress()} data-autofocus>
              Sign in again
            </Button>
          </Group>
        </Stack>
      </Modal>
      <Modal
        opened={wantsFresh && !ended}
        onClose={() => noteWantsFresh(false)}
        title="Sign in once more"
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        <Stack>
          <Text>
            This command needs a sign-in of the last five minutes. Nothing was done. Sign in again, then press
            the button once more; what you have typed is kept.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => noteWantsFresh(false)}>
              Not now
            </Button>
            <Button component="a" href={signInAddress({ fresh: true })} data-autofocus>
              Sign in again
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
