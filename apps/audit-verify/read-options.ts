import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './usage.error';

type Options = NonNullable<ParseArgsConfig['options']>;

/** Reads the options of a command line, which has nothing else. @throws UsageError */
export function readOptions<const O extends Options>(
  argv: readonly string[],
  options: O,
): ReturnType<typeof parseArgs<{ options: O }>>['values'] {
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Whether a command line has one of these options, such as `--upgrade`. */
export function hasOption(argv: readonly string[], names: readonly string[]): boolean {
  return argv.some((argument) => names.some((name) => argument === name || argument.startsWith(`${name}=`)));
}
