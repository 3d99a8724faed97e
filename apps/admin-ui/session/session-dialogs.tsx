import { Button, Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { noteWantsFresh, useConnection } from '../api/connection';
import { Question } from '../parts/question';
import { signInAddress } from './session';

/** What stands over the page when somebody has to sign in again: it comes back to this place, with what was typed. */
export function SessionDialogs({ ended }: { ended: boolean }): ReactNode {
  const { wantsFresh } = useConnection();
  return (
    <>
      <Question
        title="Your session has ended"
        opened={ended}
        buttons={
          <Button component="a" href={signInAddress()} data-autofocus>
            Sign in again
          </Button>
        }
      >
        <Text>Sign in again to go on here. What you have typed is kept.</Text>
      </Question>
      <Question
        title="Sign in once more"
        opened={wantsFresh && !ended}
        close={() => noteWantsFresh(false)}
        buttons={
          <>
            <Button variant="default" onClick={() => noteWantsFresh(false)}>
              Not now
            </Button>
            <Button component="a" href={signInAddress({ fresh: true })} data-autofocus>
              Sign in again
            </Button>
          </>
        }
      >
        <Text>
          This command needs a sign-in of the last five minutes. Nothing was done. Sign in again, then press
          the button once more; what you have typed is kept.
        </Text>
      </Question>
    </>
  );
}
