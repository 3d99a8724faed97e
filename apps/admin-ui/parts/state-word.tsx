import { Badge } from '@mantine/core';
import { type ReactNode } from 'react';

/** A state in a word; the colour says nothing that the word does not. */
export function StateWord({ colour, children }: { colour: string; children: string }): ReactNode {
  return (
    <Badge
      variant="outline"
      color={colour}
      tt="none"
      styles={{ root: { flexShrink: 0 }, label: { color: 'var(--mantine-color-text)' } }}
    >
      {children}
    </Badge>
  );
}
