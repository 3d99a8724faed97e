// Shows a waiting person a task's progress: on a terminal one line that is rewritten, elsewhere a line now and then.

const TERMINAL_MS = 1_000;
const ELSEWHERE_MS = 10_000;

/**
 * @param stream where progress is written
 * @param text returns the current line
 * @returns a function that ends it
 */
export function tellProgress(stream, text) {
  const terminal = stream.isTTY === true;
  const tell = () => stream.write(terminal ? `\r\x1b[Kkernel: ${text()}` : `kernel: ${text()}\n`);
  const timer = setInterval(tell, terminal ? TERMINAL_MS : ELSEWHERE_MS);
  return () => {
    clearInterval(timer);
    if (terminal) stream.write('\r\x1b[K');
  };
}
