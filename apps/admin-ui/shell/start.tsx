import './styles.css';
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from '@tanstack/react-router';
import { watchAttention } from '../api/attention';
import { TimesProvider } from '../parts/times';
import { router } from '../router';
import { SessionGate } from '../session/session-gate';
import { ErrorBoundary } from './error-boundary';
import { shareNonce, styleNonce } from './nonce';
import { queryClient } from './query-client';
import { theme, variables } from './theme';

export function start(root: HTMLElement | null): void {
  if (root === null) throw new Error('the page has no place for the app');
  shareNonce();
  watchAttention();
  createRoot(root).render(
    <StrictMode>
      <MantineProvider
        theme={theme}
        defaultColorScheme="auto"
        cssVariablesResolver={variables}
        getStyleNonce={styleNonce}
      >
        <ErrorBoundary>
          <QueryClientProvider client={queryClient}>
            <TimesProvider>
              <SessionGate>
                <RouterProvider router={router} />
              </SessionGate>
            </TimesProvider>
          </QueryClientProvider>
        </ErrorBoundary>
      </MantineProvider>
    </StrictMode>,
  );
}
