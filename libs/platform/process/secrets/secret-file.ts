import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';

/** Largest secret or binding list; anything larger is the wrong file. */
const MAX_FILE_BYTES = 1024 * 1024;

/** A secret of the configuration: a text that stays as it is, or a file that is read again when it changes. */
export type Secret = string | SecretFile;

/** The value of a secret now. Ask each time when it is used: a copy does not change. */
export function secretText(secret: Secret): string {
  return typeof secret === 'string' ? secret : secret.current;
}

/** The content of a file with one value, without one trailing line break; `problem` completes a sentence. */
export function readValueFile(path: string): { text: string } | { problem: string } {
  const name = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}...` : path);
  try {
    const content = readFileSync(path);
    if (content.byteLength > MAX_FILE_BYTES) {
      return { problem: `${name} is larger than 1 MiB; name another file` };
    }
    const text = content.toString('utf8').replace(/\r?\n$/, '');
    return text === '' ? { problem: `${name} is empty` } : { text };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return { problem: `${name} cannot be read (${code}); name a readable file` };
  }
}

export interface SecretFileOptions {
  /** The setting that it is the value of: `DATABASE_URL`. */
  readonly setting: string;
  readonly path: string;
  /** The value at the start. */
  readonly value: string;
  /** The value in the content of the file; undefined when the content does not fit the setting. */
  readonly parse: (text: string) => string | undefined;
}

/**
 * A secret in a file that another program replaces while the process runs: `current` is the last good value. A file that
 * becomes unreadable, empty or unfit changes nothing but `problem`. Printing and serialising show the setting's name.
 */
export class SecretFile {
  readonly setting: string;
  readonly path: string;
  readonly #parse: (text: string) => string | undefined;
  readonly #listeners = new Set<() => void>();
  #value: string;
  #problem: string | undefined;

  constructor({ setting, path, value, parse }: SecretFileOptions) {
    this.setting = setting;
    this.path = path;
    this.#value = value;
    this.#parse = parse;
  }

  /** The value in force. */
  get current(): string {
    return this.#value;
  }

  /** Why the content of the file is not in force, without any of it; undefined while it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Reads the file now, before its value is used for long, or after it was refused. @returns the value in force */
  look(): string {
    const found = readValueFile(this.path);
    const value = 'text' in found ? this.#parse(found.text) : undefined;
    if (value === undefined) {
      const misfit = `${JSON.stringify(this.path)} holds a value (not shown, it is secret) that does not fit`;
      this.#problem = 'problem' in found ? found.problem : misfit;
      return this.#value;
    }
    this.#problem = undefined;
    if (value !== this.#value) {
      this.#value = value;
      for (const listener of [...this.#listeners]) listener();
    }
    return this.#value;
  }

  /** Calls `listener` after each change. @returns what ends that */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  toString(): string {
    return `(secret ${this.setting})`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
