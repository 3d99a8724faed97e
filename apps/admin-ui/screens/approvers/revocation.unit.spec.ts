import { ADA, OPERATOR } from '../upgrades/upgrade.fixture';
import { readRevocation, whyNotRegister, whyNotRevoke } from './revocation';

const ADMIN = { ...OPERATOR, roles: ['SuperAdmin'], permits: ADA.permits };

it('reads the key that is about to be revoked', () => {
  expect(readRevocation({ revoke: 'ada-1', of: 'ada' })).toEqual({ revoke: 'ada-1', of: 'ada' });
  expect(readRevocation({ revoke: 'ada-1' })).toEqual({});
});

it('lets owners and SuperAdmins revoke', () => {
  expect(whyNotRevoke('ada', ADA, 'normal')).toBeNull();
  expect(whyNotRevoke('bob', ADMIN, null)).toBeNull();
  expect(whyNotRevoke('bob', ADA, 'normal')).toContain('Only its owner');
  expect(whyNotRevoke('ada', OPERATOR, 'normal')).toContain('Only its owner');
  expect(whyNotRevoke('ada', ADA, 'read-only')).toContain('read-only');
});

it('lets approvers register for themselves, and SuperAdmins for anybody', () => {
  expect(whyNotRegister('ada', ADA, 'normal')).toBeNull();
  expect(whyNotRegister('new', ADMIN, 'normal')).toBeNull();
  expect(whyNotRegister('bob', ADA, 'normal')).toContain('yourself only');
  expect(whyNotRegister('', ADMIN, 'normal')).toContain('for whom');
  expect(whyNotRegister('ada', OPERATOR, 'normal')).toContain('no approver');
  expect(whyNotRegister('ada', ADA, 'safe-mode')).toContain('safe-mode');
});
