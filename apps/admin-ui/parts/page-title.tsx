import { Group, Title } from '@mantine/core';
import { useRouterState } from '@tanstack/react-router';
import { type ReactNode, useEffect, useRef } from 'react';

/** The page whose heading was focused, or with which the browser came. */
let shown = location.pathname;

/**
 * The heading of a screen: the one h1 of the page. When somebody goes from page to page it takes the focus, so that a new
 * page is told to those who do not see it, and the next press of Tab begins at its top.
 */
export function PageTitle({ children, aside }: { children: string; aside?: ReactNode }): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null);
  // While a screen is loaded, the heading is still that of the page before.
  const path = useRouterState({ select: ({ resolvedLocation }) => resolvedLocation?.pathname });
  useEffect(() => {
    document.title = `${children} · Illuvrse kernel`;
    if (path === undefined || path === shown) return;
    shown = path;
    heading.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [path, children]);
  return (
    <Group justify="space-between" align="center" mb="lg" gap="sm">
      <Title order={1} size="h2" tabIndex={-1} ref={heading} className="breaks">
        {children}
      </Title>
      {aside}
    </Group>
  );
}
