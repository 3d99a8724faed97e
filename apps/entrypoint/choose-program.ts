import { IMAGE_PROGRAMS, type ImageProgram } from './programs';

/** What the image's first argument asks for. */
export type Choice =
  | { readonly kind: 'run'; readonly name: string; readonly program: ImageProgram; readonly args: string[] }
  | { readonly kind: 'health' }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'refused'; readonly sentence: string };

/** @param args what was given to the image */
export function chooseProgram([name, ...args]: readonly string[]): Choice {
  const names = Object.keys(IMAGE_PROGRAMS).join(', ');
  if (name === undefined) {
    return { kind: 'refused', sentence: `say which process to run: ${names}. --help says what each does.` };
  }
  if (name === '--help' || name === '-h') return { kind: 'help', text: help() };
  if (name === 'health') return { kind: 'health' };
  // Not by the object alone: it also knows `constructor`.
  if (!Object.hasOwn(IMAGE_PROGRAMS, name)) {
    const said = JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}...` : name);
    return { kind: 'refused', sentence: `${said} is no process of this image; it has ${names}.` };
  }
  return { kind: 'run', name, program: IMAGE_PROGRAMS[name] as ImageProgram, args };
}

function help(): string {
  const width = Math.max(...Object.keys(IMAGE_PROGRAMS).map(({ length }) => length));
  const lines = Object.entries(IMAGE_PROGRAMS).map(([name, { job }]) => `  ${name.padEnd(width)}  ${job}`);
  return [
    'Usage: IMAGE PROCESS [ARGUMENT...]',
    '',
    ...lines,
    '',
    `  ${'health'.padEnd(width)}  asks the process in this container how it is; exit code 0 or 1`,
    '',
    'Each reads its settings from the environment (docs/configuration.md); docs/image.md says what to mount.',
    '',
  ].join('\n');
}
