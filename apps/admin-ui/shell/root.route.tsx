import { createRootRoute, useRouter } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { FailedPage } from './error-boundary';
import { NotFound } from './not-found';
import { Shell } from './shell';

function FailedScreen({ error, reset }: { error: unknown; reset: () => void }): ReactNode {
  const router = useRouter();
  return (
    <FailedPage
      error={error}
      reset={() => {
        reset();
        void router.invalidate();
      }}
    />
  );
}

export const rootRoute = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  errorComponent: FailedScreen,
});

export { FailedScreen };
