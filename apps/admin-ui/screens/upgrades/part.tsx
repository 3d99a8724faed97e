import { Card, Text } from '@mantine/core';
import { type ReactNode, useId } from 'react';

/** A section of a page, named by its heading. */
export function Part({ title, children }: { title: string; children: ReactNode }): ReactNode {
  const id = useId();
  return (
    <Card withBorder component="section" aria-labelledby={id}>
      <Text component="h2" id={id} fw={650} size="lg" m={0} mb="sm">
        {title}
      </Text>
      {children}
    </Card>
  );
}
