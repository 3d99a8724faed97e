/**
 * Characters that change what is read without being seen: controls, direction marks, joiners and other formats. A manifest
 * that looks like another because of them must not look so here.
 */
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text in which everything can be seen: what cannot is written as its code. Line feeds and tabs stay. */
export function visibleText(text: string): string {
  return text.replaceAll(UNSEEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
