import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type OpenPage, type PeopleAtBrowsers, type ViewOptions, workTree } from '#dev/testing';

export interface View extends ViewOptions {
  readonly name: string;
}

/** Both themes, on a desk and on a phone. */
export const VIEWS: readonly View[] = [
  { name: 'wide-light', width: 1280, height: 900, colorScheme: 'light' },
  { name: 'wide-dark', width: 1280, height: 900, colorScheme: 'dark' },
  { name: 'phone-light', width: 390, height: 844, colorScheme: 'light' },
  { name: 'phone-dark', width: 390, height: 844, colorScheme: 'dark' },
];

export const ROLES = ['superadmin', 'lead', 'operator', 'auditor', 'norole', 'approver-1'] as const;
export type Role = (typeof ROLES)[number];

/** A state of a screen, of which there is a picture in each view. */
export interface Screen {
  readonly name: string;
  readonly path: () => string;
  /** The person whose screen it is in the pictures. */
  readonly role: Role;
  /** Waits until everything is there. */
  readonly shown: (open: OpenPage) => Promise<void>;
}

/** Path of a screenshot, which is kept with the builds: to be looked at. */
export function pictureOf(name: string): string {
  const folder = join(workTree(), '.build', 'admin-ui-screens');
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}

/** What is wrong with what is seen: for people with a screen reader, and for the page's policy. */
export async function faultsOf(open: OpenPage): Promise<string[]> {
  return [...(await open.problems()), ...(await open.violations())];
}

/** Opens a screen, keeps its picture, and expects it to be sound. */
export async function expectSound(open: OpenPage, { name, path, shown }: Screen, view: View): Promise<void> {
  await open.page.goto(path());
  await shown(open);
  await open.page.screenshot({ path: pictureOf(`${name}-${view.name}`), fullPage: true });
  expect(await faultsOf(open)).toEqual([]);
  // A phone scrolls down a page, and never to the side.
  const wider = await open.page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  expect(wider).toBe(0);
}

/** A person's page, one for each role and view. */
export class RolePages {
  private readonly opened = new Map<string, Promise<OpenPage>>();

  constructor(private readonly people: () => PeopleAtBrowsers) {}

  of(role: Role, view: View | undefined = VIEWS[0]): Promise<OpenPage> {
    const key = `${role} ${view?.name}`;
    const found = this.opened.get(key) ?? this.people().signIn(role, '/', view);
    this.opened.set(key, found);
    return found;
  }

  /** Signs the role in anew the next time: its sessions have ended. */
  forget(role: Role): void {
    for (const key of [...this.opened.keys()]) if (key.startsWith(`${role} `)) this.opened.delete(key);
  }
}

export const heading = ({ page }: OpenPage, name: string | RegExp) =>
  page.getByRole('heading', { name, exact: true }).waitFor();
export const text = ({ page }: OpenPage, value: string | RegExp) => page.getByText(value).first().waitFor();
/** The labels of the navigation, from top to bottom. */
export const navigationOf = ({ page }: OpenPage) =>
  page.getByRole('navigation', { name: 'Screens' }).getByRole('link').allTextContents();
