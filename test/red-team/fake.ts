/** Who has something that they should not have, or abuses what they were given. docs/security.md has a section for each. */
export const THIEVES = {
  'what-is-public': 'Nothing but what is public',
  'audit-key': 'One audit key',
  'manifest-key': 'One manifest key',
  'checkpoint-key': 'One checkpoint key',
  'audit-and-checkpoint-key': 'An audit key and the checkpoint key',
  'kernel-certificate': "The kernel's client certificate of the signing proxy",
  'publisher-certificate': "The log publisher's client certificate of the signing proxy",
  'runtime-role': 'The database password of the kernel',
  'worker-role': 'The database password of the workers',
  'owner-role': "The database password of the schema's owner",
  'division-lead': 'A DivisionLead',
  'super-admin': 'A SuperAdmin',
} as const;

export type Thief = keyof typeof THIEVES;

/** Something that a thief presents, and that nobody may believe or carry out. */
export interface Fake<World = void> {
  thief: Thief;
  /** What is faked; no two fakes of a thief have the same name. */
  name: string;
  /** Word with which it is refused: a fault, a reason, a code, an SQLSTATE. */
  says: string;
  /** Presents it. @returns every word with which it was refused; none: it was accepted */
  present(world: World): Promise<string[]> | string[];
}

/** A table of fakes of one thief. */
export type Table<World = void> = readonly (readonly [
  name: string,
  says: string,
  present: Fake<World>['present'],
])[];

export function fakesOf<World = void>(thief: Thief, table: Table<World>): Fake<World>[] {
  return table.map(([name, says, present]) => ({ thief, name, says, present }));
}

/** Words at the beginning of reasons, which are a word and a colon. */
export function wordsOf(...reasons: readonly (string | null)[]): string[] {
  return reasons.flatMap((reason) => (reason === null ? [] : [reason.split(':', 1)[0] ?? reason]));
}
