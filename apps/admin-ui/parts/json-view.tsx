import { Group, Stack, Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { CopyButton } from './copy-button';
import { visibleText } from './visible-text';

/** Longest text that is shown, in UTF-16 code units: beyond, a tab becomes slow. */
const MAX_SHOWN = 200_000;

/** A text as it is, to read and to copy; characters that cannot be seen are written as their codes. */
export function RawText({
  text,
  what,
  children,
}: {
  text: string;
  what: string;
  /** More buttons beside the one that copies. */
  children?: ReactNode;
}): ReactNode {
  const shown = text.length > MAX_SHOWN ? text.slice(0, MAX_SHOWN) : text;
  return (
    <Stack gap="xs">
      {/* Scrolls, so it has to be reached by keyboard (WCAG 2.1.1). */}
      <pre className="json" tabIndex={0} role="region" aria-label={what}>
        {visibleText(shown)}
      </pre>
      <Group gap="sm">
        <CopyButton text={text} what={what} size="compact-sm" />
        {children}
        {shown !== text && (
          <Text size="sm" c="dimmed">
            Only the first {MAX_SHOWN.toLocaleString('en')} characters are shown; the copy has all of them.
          </Text>
        )}
      </Group>
    </Stack>
  );
}

/** A JSON document, indented. Its members stay in the order in which they came. */
export function JsonView({ value, what }: { value: unknown; what: string }): ReactNode {
  return <RawText text={JSON.stringify(value, null, 2) ?? 'null'} what={what} />;
}
