import { Card, Text } from '@mantine/core';
import { type ReactNode, useId } from 'react';

export function Panel({ title, children }: { title: string; children: ReactNode }): ReactNode {
  const id = useId();
  return (
    <Card withBorder component="section" aria-labelledby={id}>
      <Text component="h2" id={id} fw={650} size="md" m={0} mb="sm">
        {title}
      </Text>
      {children}
    </Card>
  );
}
