import { type ChildProcess, spawn } from 'node:child_process';
import { processStart } from './process-identity';

/**
 * Ends this process's children when it is killed without a chance to do so itself.
 *
 * A POSIX sh reads from a pipe that only this process holds: when the process dies, however it dies, the pipe closes,
 * and the shell ends what is still on its list. It compares start times, so that a recycled number is never signalled.
 * It is a session of its own: a Ctrl-C in the terminal does not reach it.
 */
const SCRIPT = `
trap '' INT TERM HUP
started() {
  if [ -r "/proc/$1/stat" ]; then
    IFS= read -r stat < "/proc/$1/stat" || return 1
    rest=\${stat##*) }
    set -f; set -- $rest; set +f
    [ "$1" = Z ] && return 1
    printf '%s' "\${20}"
  else
    ps -o lstart= -p "$1" 2>/dev/null | tr ' ' '_'
  fi
}
list=''
while read -r op pid start signal; do
  case $op in
    +) list="$list $pid,$start,$signal" ;;
    -) kept=''
       for entry in $list; do case $entry in "$pid,"*) ;; *) kept="$kept $entry" ;; esac; done
       list=$kept ;;
  esac
done
alive() {
  found=''
  for entry in $list; do
    pid=\${entry%%,*}; rest=\${entry#*,}; start=\${rest%%,*}; signal=\${rest#*,}
    if [ "$(started "$pid")" = "$start" ]; then found=yes; [ -n "$1" ] && { [ "$1" = own ] && kill -s "$signal" "$pid" || kill -s KILL "$pid"; } 2>/dev/null; fi
  done
  [ -n "$found" ]
}
alive own || exit 0
tries=0
while [ $tries -lt 30 ]; do sleep 0.1; alive '' || exit 0; tries=$((tries + 1)); done
alive kill
`;

let guard: ChildProcess | undefined;
/** What a guard has to be told; a new one is told everything. */
const guarded = new Map<number, string>();

/** From now on the process is ended (with this signal, after 3 s with SIGKILL) when the current one dies. */
export function guardProcess(pid: number, signal: NodeJS.Signals): void {
  const start = processStart(pid);
  if (start === undefined) return;
  const line = `+ ${pid} ${start.replaceAll(/\s/g, '_')} ${signal.replace(/^SIG/, '')}`;
  guarded.set(pid, line);
  if (guard === undefined) startGuard();
  else tell(line);
}

/** The process is gone or shall outlive the current one. */
export function releaseProcess(pid: number): void {
  if (guarded.delete(pid)) tell(`- ${pid}`);
}

function tell(line: string): void {
  guard?.stdin?.write(`${line}\n`);
}

function startGuard(): void {
  const started = spawn('/bin/sh', ['-c', SCRIPT, 'orphan-guard'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    detached: true,
  });
  guard = started;
  // A guard that cannot be started protects nothing, but is no reason to stop working.
  started.on('error', () => undefined);
  started.stdin.on('error', () => undefined);
  started.once('exit', () => {
    if (guard !== started) return;
    guard = undefined;
    if (guarded.size > 0) startGuard();
  });
  // Neither the guard nor its pipe may keep this process from ending: that is when it does its work.
  started.unref();
  (started.stdin as unknown as { unref?: () => void }).unref?.();
  for (const line of guarded.values()) tell(line);
}
