import { useCallback, useEffect, useState } from 'react';
import { useSession } from './session';

/** Longest draft that is kept, in UTF-16 code units; browsers keep some 5 million for an origin. */
const MAX_DRAFT = 200_000;

function read<T>(key: string): T | undefined {
  try {
    const text = sessionStorage.getItem(key);
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

function write(key: string, value: unknown): void {
  const text = JSON.stringify(value);
  try {
    if (text.length <= MAX_DRAFT) sessionStorage.setItem(key, text);
  } catch {
    // Storage may be full or off: the form works all the same.
  }
}

/** Fills a form before it is opened: with what another page has for it. */
export function putDraft(principal: string, name: string, value: object): void {
  write(`draft:${principal}:${name}`, value);
}

/**
 * What somebody has typed into a form and not sent yet. It is kept in this tab through a sign-in in between, for the same
 * person only, and never leaves the browser. Not for secrets.
 * @param name of the form; one that is about a thing has the thing's id in it
 * @returns the content, a function that changes it, and one that forgets it (when it was sent)
 */
export function useDraft<T extends object>(
  name: string,
  initial: T,
): readonly [T, (changed: T) => void, () => void] {
  const { principal } = useSession();
  const key = `draft:${principal}:${name}`;
  const [value, setValue] = useState<T>(() => ({ ...initial, ...read<T>(key) }));
  const [isChanged, setChanged] = useState(false);
  useEffect(() => {
    if (isChanged) write(key, value);
  }, [key, value, isChanged]);
  const change = useCallback((changed: T) => {
    setChanged(true);
    setValue(changed);
  }, []);
  const forget = useCallback(() => {
    setChanged(false);
    try {
      sessionStorage.removeItem(key);
    } catch {
      // Nothing was kept.
    }
  }, [key]);
  return [value, change, forget];
}
