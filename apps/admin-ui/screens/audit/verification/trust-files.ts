import { useDraft } from '../../../session/draft';

/** A file that somebody chose to trust. */
export interface TrustFile {
  readonly name: string;
  readonly text: string;
}

export interface TrustChoice {
  /** Null: what the kernel serves is taken. */
  readonly file: TrustFile | null;
  readonly choose: (file: TrustFile) => void;
  readonly forget: () => void;
}

/** A signers.json with the keys of decades has some hundred kilobytes; a policy has at most 256 KiB. */
const MOST_BYTES = 1_048_576;
const NONE: TrustFile = { name: '', text: '' };

/** What a person trusts besides what the kernel serves; kept in this tab, for this person. */
export function useTrustFile(kind: 'signers' | 'policy'): TrustChoice {
  const [kept, keep, forgetKept] = useDraft<TrustFile>(`trust-${kind}`, NONE);
  return {
    file: kept.name === '' ? null : kept,
    choose: keep,
    forget: () => {
      keep(NONE);
      forgetKept();
    },
  };
}

/** The text of a file. @throws Error with a sentence */
export async function readTrustFile(file: File): Promise<TrustFile> {
  if (file.size > MOST_BYTES) throw new Error(`${file.name} is too large: it has more than 1 MiB.`);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
    return { name: file.name, text };
  } catch {
    throw new Error(`${file.name} is no text in UTF-8.`);
  }
}
