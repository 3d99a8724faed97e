import { Button, type ButtonProps, Stack, Text } from '@mantine/core';
import { type ReactNode, useId } from 'react';

/**
 * A button that may be off, and then says why, to everyone: it can be reached by keyboard, and the reason stands beneath
 * it. Null: it is on.
 */
export function WhyButton({
  why,
  onClick,
  children,
  ...rest
}: {
  why: string | null;
  onClick: () => void;
  children: ReactNode;
} & Omit<ButtonProps, 'disabled'>): ReactNode {
  const id = useId();
  if (why === null) {
    return (
      <Button onClick={onClick} {...rest}>
        {children}
      </Button>
    );
  }
  return (
    <Stack gap={4} align="flex-start">
      {/* aria-disabled, not disabled: what is disabled cannot be reached, nor its reason be heard. */}
      <Button
        {...rest}
        variant="default"
        data-off
        aria-disabled
        aria-describedby={id}
        onClick={() => undefined}
      >
        {children}
      </Button>
      <Text id={id} size="sm" c="dimmed">
        {why}
      </Text>
    </Stack>
  );
}
