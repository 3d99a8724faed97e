import { Group, Modal, Stack } from '@mantine/core';
import { type ReactNode } from 'react';

/**
 * A dialog over the page: a title, what it is about, and buttons. Escape and a press outside close it, unless nothing can be
 * done before it is answered.
 */
export function Question({
  title,
  opened,
  close = null,
  children,
  buttons,
}: {
  title: string;
  opened: boolean;
  /** Null: it has to be answered. */
  close?: (() => void) | null;
  children: ReactNode;
  buttons: ReactNode;
}): ReactNode {
  const closes = close !== null;
  return (
    <Modal.Root
      opened={opened}
      onClose={() => close?.()}
      closeOnEscape={closes}
      closeOnClickOutside={closes}
      centered
    >
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body p="lg">
          <Stack>
            {/* Not in Modal.Header, whose <header> would be a second banner of the page. */}
            <Modal.Title fw={650} fz="lg">
              {title}
            </Modal.Title>
            {children}
            <Group justify="flex-end">{buttons}</Group>
          </Stack>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
