/** ASCII controls and those of Latin-1. */
const CONTROLS = /\p{Cc}/gu;

/** Returns a text as one argument of a shell, on one line: what is copied must not end a line, or steer a terminal. */
export function shellQuoted(text: string): string {
  if (/^[A-Za-z0-9_./:@%+=-]+$/.test(text)) return text;
  if (text.search(CONTROLS) === -1) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replaceAll(CONTROLS, (control) => {
      const code = control.charCodeAt(0).toString(16);
      // One byte in UTF-8, or a character of two.
      return control < '\x80' ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
    });
  return `$'${escaped}'`;
}
