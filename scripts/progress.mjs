// Tells a person who waits how far something is: on a terminal one line that is written again, elsewhere a line now and then.

const TERMINAL_MS = 1_000;
const ELSEWHERE_MS = 10_000;

/**
 * @param stream where it is told
 * @param text gives the line as it is now
 * @returns ends it
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
