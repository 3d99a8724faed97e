import { Button } from '@mantine/core';
import { type ReactNode } from 'react';

/** Saves a file under a name, as the browser saves what it downloads. */
export function saveFile(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Saves a text that is already here, byte for byte (UTF-8), under a name. */
export function Download({
  text,
  name,
  type,
  children,
}: {
  text: string;
  name: string;
  type: string;
  children: string;
}): ReactNode {
  return (
    <Button variant="default" size="compact-sm" onClick={() => saveFile(new Blob([text], { type }), name)}>
      {children}
    </Button>
  );
}
