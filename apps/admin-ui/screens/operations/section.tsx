import { Group, Text } from '@mantine/core';
import { type ReactNode, useId } from 'react';

/** A part of a page with a heading, and what belongs beside it. */
export function Section({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
}): ReactNode {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <Group justify="space-between" mb="xs" gap="sm">
        <Text component="h2" id={id} fw={650} size="lg" m={0} className="breaks">
          {title}
        </Text>
        {aside}
      </Group>
      {children}
    </section>
  );
}
