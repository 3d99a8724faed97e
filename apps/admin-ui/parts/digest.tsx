import { Group } from '@mantine/core';
import { type ReactNode } from 'react';
import { CopyButton } from './copy-button';

const SHOWN = 8;

/** `9f86d081…0f00a08`: enough to tell two apart at a glance, never enough to decide by. */
export function shortDigest(value: string): string {
  return value.length <= 2 * SHOWN + 1 ? value : `${value.slice(0, SHOWN)}…${value.slice(-SHOWN)}`;
}

/** A digest, hash, id or key: short where many stand together, whole where it is to be compared; always to copy. */
export function Digest({
  value,
  what = 'digest',
  whole = false,
}: {
  value: string;
  /** What it is, for those who hear it. */
  what?: string;
  whole?: boolean;
}): ReactNode {
  return (
    <Group gap={6} wrap="nowrap" align="center">
      <span className={whole ? 'mono breaks' : 'mono'} title={value}>
        {whole ? value : shortDigest(value)}
      </span>
      <CopyButton text={value} what={what} />
    </Group>
  );
}
