import { setTimeout as delay } from 'node:timers/promises';
import { BrowserPage, describeWithChromium, withStack } from '#dev/testing';
import { Launcher } from '../launcher/launcher.driver';

const HOME = 'Illuvrse kernel';

/** The button of a person on the development provider's page. */
async function signIn(page: BrowserPage, person: string): Promise<void> {
  await page.press('Sign in');
  await page.shows('This identity provider is for development');
  await page.press(person);
}

describeWithChromium('a person in a browser', () => {
  describe('at the URL that ./kernel up prints', () => {
    let launcher: Launcher;
    let printed: string;
    let page: BrowserPage;

    beforeAll(async () => {
      launcher = await Launcher.create();
      const { stdout } = await launcher.upReady();
      const [, url = ''] = /^Open (\S+) in a browser to sign in/m.exec(stdout) ?? [];
      printed = url;
      page = await BrowserPage.open(printed);
    }, 180_000);
    afterAll(async () => {
      await page.close();
      await launcher.stop();
    }, 60_000);

    it('signs in by a button, sees who they are, and signs out here and there', async () => {
      expect((await page.shows(HOME)).url).toBe(`${printed}/`);
      await signIn(page, 'lead');
      const { url } = await page.shows('Overview');
      expect(url).toBe(`${printed}/`);
      await page.press('Division Lead');
      await page.shows('Role: DivisionLead of division product');

      const cookie = (await page.cookies()).find(({ name }) => name === 'kernel-session');
      expect(cookie).toMatchObject({ domain: 'localhost', httpOnly: true, sameSite: 'Lax' });
      expect(await page.run('document.cookie')).toBe('');
      // The page's policy lets no script fetch anything from elsewhere, not even what was injected into it.
      await expect(page.run(`fetch('http://127.0.0.1:1/')`)).rejects.toThrow('Failed to fetch');
      await page.goTo(`${printed}/auth/session`);
      expect((await page.shows('DivisionLead')).text).toContain('#lead');
      await page.goTo(printed);

      await page.press('Division Lead');
      await page.press('Sign out');
      await page.shows('Sign out of the development identity provider too?');
      await page.press('Sign out');
      await page.shows('Sign in');
      expect((await page.cookies()).filter(({ name }) => name === 'kernel-session')).toEqual([]);
      await page.goTo(`${printed}/auth/session`);
      expect((await page.shows('You are not signed in')).text).toContain('Nobody is signed in');
    });

    it('is asked by the provider again after both sign-outs, and may be someone else', async () => {
      await page.goTo(printed);
      await signIn(page, 'approver-2');
      await page.press('Approver 2');
      await page.shows('Role: no role');
      await page.shows('Approver: ');
      await page.goTo(`${printed}/auth/logout`);
      await page.press('Sign out');
      await page.shows('Sign out of the development identity provider too?');
      await page.press('Sign out');
      await page.shows('Sign in');
    });

    it.each([
      ['/auth/callback?code=x&state=y', 'This answer belongs to no sign-in that was begun in this browser'],
      ['/auth/callback?error=access_denied', 'This answer belongs to no sign-in'],
    ])('is told in a sentence why %s is refused, and can begin again from there', async (path, sentence) => {
      await page.goTo(printed + path);
      await page.shows(sentence);
      await page.press('Sign in again');
      await page.shows('This identity provider is for development');
    });
  });

  describe('whose session has ended', () => {
    /** The limit below in whole seconds, and one more: clocks count whole seconds too. */
    const MAX_AGE_MS = 12_000;
    // 10.8 seconds in all.
    // At the plain page: how the admin UI does it is in test/admin-ui.
    const stack = withStack({
      people: true,
      kernelVariables: { KERNEL_SESSION_MAX_HOURS: '0.003', KERNEL_ADMIN_UI_FOLDER: 'not-built' },
    });
    let page: BrowserPage;
    beforeAll(async () => {
      page = await BrowserPage.open(stack().web?.origin ?? '');
    });
    afterAll(() => page.close());
    const origin = () => stack().web?.origin ?? '';

    it('by its limit is told so, and signs in again', async () => {
      await signIn(page, 'auditor');
      await page.shows('You are signed in as Auditor');
      const signedIn = performance.now();
      for (;;) {
        await page.goTo(origin());
        if ((await page.shows(HOME)).text.includes('Your session has ended')) break;
      }
      await page.goTo(`${origin()}/auth/session`);
      await page.shows('Nobody is signed in, or the session has ended');
      // A sign-in at the provider that is older than a whole session may last does not begin a new one (max_age).
      await delay(Math.max(0, signedIn + MAX_AGE_MS - performance.now()));
      await page.press('Sign in again');
      await page.shows('This identity provider is for development');
      await page.press('auditor');
      await page.shows('You are signed in as Auditor');
    });

    it('or who comes while the provider is away is told to wait, and can sign in when it is back', async () => {
      const { provider } = stack().web ?? {};
      const [kernel] = stack().kernels;
      await provider?.stop();
      await kernel?.process.stop();
      await kernel?.process.start();
      await page.goTo(`${origin()}/auth/login`);
      await page.shows('The identity provider does not answer, so no one can sign in at the moment.');
      await provider?.start();
      await page.press('Sign in again');
      await page.shows('This identity provider is for development');
      await page.press('operator');
      await page.shows('You are signed in as Operator');
    });
  });
});
