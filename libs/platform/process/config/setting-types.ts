import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { certificatesIn, validityOf, whyNotInForce } from '../tls/certificates';

/** A schema from the text of a variable to T; `format` completes "expected ..." and the documentation. */
export type SettingType<T> = z.ZodType<T, string>;

/** Makes a setting type from a parser; undefined means that the text does not fit. */
export function settingType<T>(format: string, parse: (text: string) => T | undefined): SettingType<T> {
  return z
    .string()
    .transform((text, context) => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.addIssue({ code: 'custom', message: `expected ${format}` });
      return z.NEVER;
    })
    .meta({ format });
}

/** Any text without control characters. */
export function text(): SettingType<string> {
  // eslint-disable-next-line no-control-regex -- control characters are what a setting must not hold
  return settingType('text', (value) => (/[\u0000-\u001f\u007f]/.test(value) ? undefined : value));
}

/** Text that matches a pattern; `format` says in words what the pattern means. */
export function matching(pattern: RegExp, format: string): SettingType<string> {
  return settingType(format, (value) => (pattern.test(value) ? value : undefined));
}

/** A regular expression (ECMAScript) for a whole text. */
export function pattern(): SettingType<RegExp> {
  return settingType('a regular expression', (value) => {
    try {
      return new RegExp(`^(?:${value})$`, 'u');
    } catch {
      return undefined;
    }
  });
}

/** One of the given words. */
export function oneOf<const T extends string>(...words: readonly T[]): SettingType<T> {
  return settingType(`one of ${words.join(', ')}`, (value) => words.find((word) => word === value));
}

/** `true` or `false`, and nothing similar. */
export function flag(): SettingType<boolean> {
  return settingType('true or false', (value) =>
    value === 'true' ? true : value === 'false' ? false : undefined,
  );
}

/** A whole number in decimal digits, bounds included. */
export function wholeNumber(bounds: { min: number; max: number }): SettingType<number> {
  return settingType(`a whole number from ${bounds.min} to ${bounds.max}`, (value) => {
    if (!/^(0|-?[1-9][0-9]{0,15})$/.test(value)) return undefined;
    const number = Number(value);
    return number >= bounds.min && number <= bounds.max ? number : undefined;
  });
}

/** A number in decimal digits, with a fraction or without, bounds included. */
export function decimal(bounds: { min: number; max: number }): SettingType<number> {
  return settingType(`a number from ${bounds.min} to ${bounds.max}`, (value) => {
    if (!/^(0|[1-9][0-9]{0,9})(\.[0-9]{1,9})?$/.test(value)) return undefined;
    const number = Number(value);
    return number >= bounds.min && number <= bounds.max ? number : undefined;
  });
}

/** A TCP port; 0 lets the system choose a free one. */
export function port(): SettingType<number> {
  return wholeNumber({ min: 0, max: 65_535 });
}

/** An absolute URL of one of the given schemes (without the colon). */
export function url(...schemes: readonly string[]): SettingType<string> {
  return settingType(`a URL (${schemes.join(', ')})`, (value) => {
    if (!URL.canParse(value)) return undefined;
    return schemes.includes(new URL(value).protocol.slice(0, -1)) ? value : undefined;
  });
}

/** The path of a file that exists and can be read by this process. */
export function readableFile(): SettingType<string> {
  return settingType('the path of a readable file', (value) => {
    try {
      accessSync(value, constants.R_OK);
      return statSync(value).isFile() ? value : undefined;
    } catch {
      return undefined;
    }
  });
}

/**
 * The path of a PEM file with currently valid certificates: one that has expired, or is not valid yet, would otherwise
 * show in failed handshakes.
 * @param of a `chain`, in which every certificate has to be valid, or `authorities`, of which one has to be
 */
export function certificateFile(of: 'chain' | 'authorities' = 'chain'): SettingType<string> {
  const format = 'the path of a PEM file with certificates that are in force';
  return z
    .string()
    .transform((value, context) => {
      const problems = certificateProblems(value);
      const usable = of === 'chain' ? problems.every(isNull) : problems.some(isNull);
      if (usable && problems.length > 0) return value;
      const problem = problems.find((text) => text !== null) ?? 'no certificate could be read from it';
      context.addIssue({ code: 'custom', message: `expected ${format}, but ${problem}` });
      return z.NEVER;
    })
    .meta({ format });
}

const isNull = (value: unknown): boolean => value === null;

/** Returns for each certificate in a file why it is not valid now, or null when it is. */
function certificateProblems(path: string): (string | null)[] {
  try {
    const now = Date.now();
    return certificatesIn(readFileSync(path)).map((one) => whyNotInForce(validityOf(one), now));
  } catch {
    return [];
  }
}

/** A path that need not exist yet. */
export function path(): SettingType<string> {
  return settingType('a path', (value) => (value.includes('\0') ? undefined : value));
}

/** JSON text that fits a schema; the complaint names the place in it. */
export function json<S extends z.ZodType>(schema: S, format: string): z.ZodType<z.output<S>, string> {
  return z
    .string()
    .transform((value, context): unknown => {
      try {
        return JSON.parse(value) as unknown;
      } catch {
        context.addIssue({ code: 'custom', message: `expected ${format} as JSON` });
        return z.NEVER;
      }
    })
    .pipe(schema)
    .meta({ format: `${format} (JSON)` });
}

/** A comma-separated list, blanks around the entries ignored. */
export function list<T>(entry: SettingType<T>, format: string): SettingType<readonly T[]> {
  return settingType(format, (value) => {
    const entries: T[] = [];
    for (const part of value.split(',')) {
      const parsed = entry.safeParse(part.trim());
      if (!parsed.success) return undefined;
      entries.push(parsed.data);
    }
    return entries;
  });
}

/** Form of a value, as the documentation describes it. */
export function formatOf(schema: z.ZodType<unknown, string | undefined>): string {
  const own = schema.meta()?.['format'];
  if (typeof own === 'string') return own;
  if (schema instanceof z.ZodOptional) {
    return formatOf(schema.unwrap() as z.ZodType<unknown, string | undefined>);
  }
  return 'text';
}
