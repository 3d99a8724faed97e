import { Argument, type Command } from 'commander';
import { print } from '../output/print';

const SHELLS = ['bash', 'zsh'] as const;
type Shell = (typeof SHELLS)[number];

/** A script that completes commands, options and the values of options that have choices. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print a script that completes commands in bash or zsh')
    .description(
      'Prints a script for the shell: eval "$(./kernel completion bash)", or zsh. Works for every path that ends in "kernel".',
    )
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .option('--json', 'print the words by command, as JSON')
    .action((shell: Shell, { json }: { json?: true }) => {
      const words = wordsOf(program);
      if (json === true) return print(JSON.stringify(Object.fromEntries(words)));
      const script = [...FUNCTION(words), ...(shell === 'bash' ? BASH : ZSH)];
      print(script.join('\n'));
    });
}

/** What may follow a command (its names from the top, joined by blanks), or an option of it (`command --option`). */
function wordsOf(program: Command): Map<string, string[]> {
  const words = new Map<string, string[]>();
  const visit = (command: Command, path: string): void => {
    const options = command.options.filter(({ hidden, long }) => !hidden && long !== undefined);
    words.set(path, [
      ...command.commands.map((child) => child.name()),
      ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
      ...options.map(({ long }) => long as string),
      '--help',
    ]);
    for (const { long, argChoices } of options) {
      if (argChoices !== undefined) words.set(`${path} ${long}`.trim(), argChoices);
    }
    for (const child of command.commands) visit(child, `${path} ${child.name()}`.trim());
  };
  visit(program, '');
  words.set(
    'help',
    program.commands.map((child) => child.name()),
  );
  return words;
}

/** All words are this program's own (names of commands, options and choices): letters, digits and hyphens. */
const FUNCTION = (words: ReadonlyMap<string, readonly string[]>): string[] => [
  '_kernel_words() {',
  '  case "$1" in',
  ...[...words].map(([path, follow]) => `    '${path}') printf '%s\\n' ${follow.join(' ')} ;;`),
  '  esac',
  '}',
  // The path of the command so far, and the option before the cursor when it takes one of several values.
  // Not `path`, which is PATH in zsh.
  '_kernel_follow() {',
  '  local names="" word last="" values',
  '  for word in "$@"; do',
  '    case $word in',
  '      -*) ;;',
  '      *) [ -n "$(_kernel_words "${names:+$names }$word")" ] && names="${names:+$names }$word" ;;',
  '    esac',
  '    last=$word',
  '  done',
  '  case $last in',
  '    --*)',
  '      values=$(_kernel_words "${names:+$names }$last")',
  '      [ -n "$values" ] && printf "%s\\n" "$values" && return ;;',
  '  esac',
  '  _kernel_words "$names"',
  '}',
];

const BASH = [
  '_kernel_complete() {',
  '  local follow',
  '  follow=$(_kernel_follow "${COMP_WORDS[@]:1:COMP_CWORD-1}")',
  '  COMPREPLY=($(compgen -W "$follow" -- "${COMP_WORDS[COMP_CWORD]}"))',
  '}',
  'complete -o default -F _kernel_complete kernel ./kernel',
];

const ZSH = [
  'autoload -Uz compinit && { whence compdef >/dev/null || compinit; }',
  '_kernel_complete() {',
  '  local -a follow',
  '  follow=(${(f)"$(_kernel_follow ${words[2,CURRENT-1]})"})',
  '  compadd -- $follow || _files',
  '}',
  'compdef _kernel_complete kernel ./kernel',
];
