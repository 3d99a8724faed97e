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
folders=''
newline='
'
while IFS= read -r line; do
  set -f; set -- $line; set +f
  case $1 in
    +) list="$list $2,$3,$4" ;;
    -) kept=''
       for entry in $list; do case $entry in "$2,"*) ;; *) kept="$kept $entry" ;; esac; done
       list=$kept ;;
    folder) folders="$folders\${line#folder }$newline" ;;
    kept) kept=''
       IFS=$newline
       for entry in $folders; do [ "$entry" = "\${line#kept }" ] || kept="$kept$entry$newline"; done
       unset IFS
       folders=$kept ;;
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
alive own
tries=0
while [ $tries -lt 30 ] && alive ''; do sleep 0.1; tries=$((tries + 1)); done
alive kill
[ -n "$folders" ] || exit 0
# Sessions of a database that was killed end a moment after it.
sleep 0.5
IFS=$newline
for entry in $folders; do case $entry in */kernel-test-*) rm -rf -- "$entry" ;; esac; done
`;

let guard: ChildProcess | undefined;
/** What a guard has to be told; a new one is told everything. */
const guarded = new Map<number, string>();
const folders = new Set<string>();

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

/**
 * From now on the folder is removed when the current process is killed. For tests: only folders that are named
 * `kernel-test-...` are ever removed.
 */
export function guardFolder(path: string): void {
  folders.add(path);
  if (guard === undefined) startGuard();
  else tell(`folder ${path}`);
}

/** The folder has been removed, or shall stay. */
export function releaseFolder(path: string): void {
  if (folders.delete(path)) tell(`kept ${path}`);
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
    if (guarded.size + folders.size > 0) startGuard();
  });
  // Neither the guard nor its pipe may keep this process from ending: that is when it does its work.
  started.unref();
  (started.stdin as unknown as { unref?: () => void }).unref?.();
  for (const line of guarded.values()) tell(line);
  for (const path of folders) tell(`folder ${path}`);
}
