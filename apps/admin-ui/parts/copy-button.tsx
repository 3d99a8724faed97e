import { Button, type ButtonProps } from '@mantine/core';
import { type ReactNode, useEffect, useState } from 'react';

const SHOWN_MS = 2_000;

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Copies a text, and says whether it did. */
export function CopyButton({
  text,
  what,
  children = 'Copy',
  ...rest
}: { text: string; what: string; children?: string } & ButtonProps): ReactNode {
  const [state, setState] = useState<'idle' | 'done' | 'refused'>('idle');
  useEffect(() => {
    if (state === 'idle') return undefined;
    const timer = setTimeout(() => setState('idle'), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const label = { idle: children, done: 'Copied', refused: 'Not allowed' }[state];
  return (
    <Button
      size="compact-xs"
      variant="default"
      style={{ flexShrink: 0 }}
      aria-label={state === 'idle' ? `Copy ${what}` : label}
      onClick={() => void copied(text).then((isDone) => setState(isDone ? 'done' : 'refused'))}
      {...rest}
    >
      {label}
    </Button>
  );
}
