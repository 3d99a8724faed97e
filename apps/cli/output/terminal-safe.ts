/**
 * Escapes what a terminal would obey or turn around: control characters but the line feed, and format characters such as
 * those that change the direction of text. Escapes are those of JSON, so that JSON stays the same document.
 */
export function terminalSafe(text: string): string {
  return text.replace(OBEYED, (character) =>
    Array.from({ length: character.length }, (_, at) => escapeOf(character.charCodeAt(at))).join(''),
  );
}

/** All but the line feed, which ends this program's own lines. */
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

function escapeOf(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
