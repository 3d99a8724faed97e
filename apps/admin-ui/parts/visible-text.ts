/**
 * Characters that change what is read without being seen: controls, direction marks, joiners and other formats. A manifest
 * that looks like another because of them must not look so here.
 */
// eslint-disable-next-line no-control-regex -- control characters are what it is about
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** A text in which everything can be seen: what cannot is written as its code. Line feeds and tabs stay. */
export function visibleText(text: string): string {
  return text.replaceAll(
    UNSEEN,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
