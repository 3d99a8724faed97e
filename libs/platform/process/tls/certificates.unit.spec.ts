import { TestCa } from '#dev/testing';
import { certificatesIn, validityOf, whyNotInForce } from './certificates';

describe('the validity of a certificate', () => {
  it('names the holder', async () => {
    const ca = await TestCa.create();
    const { cert } = await ca.issue({ subject: [{ O: ['Illuvrse'] }, { CN: ['kernel'] }] });
    expect(certificatesIn(cert).map(validityOf)).toMatchObject([{ subject: 'O=Illuvrse, CN=kernel' }]);
  });

  it('names a server by its other names where it has no subject, as cert-manager makes them', async () => {
    const ca = await TestCa.create();
    const { cert } = await ca.issue({
      subject: [],
      usage: 'server',
      names: [{ type: 'dns', value: 'kernel.svc' }],
    });
    const [validity] = certificatesIn(cert).map(validityOf);
    expect(validity).toMatchObject({ subject: 'DNS:kernel.svc' });
    expect(validity && whyNotInForce(validity, Date.now())).toBeNull();
    expect(validity && whyNotInForce(validity, validity.to + 1)).toMatch(
      /^the one of DNS:kernel.svc expired on /,
    );
  });
});
