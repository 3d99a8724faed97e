/** The fakes of AWS KMS and of transit as a process of their own, so that no thread is shared with what is measured. */
import { FakeAwsKms, FakeTransit } from '#dev/testing';

export interface FakeServices {
  kms: { endpoint: string; region: string; accessKeyId: string; secretAccessKey: string };
  vault: { address: string; ca: string; token: string };
}

async function serve(kids: readonly string[]): Promise<void> {
  const kms = await new FakeAwsKms().start();
  const vault = await (await FakeTransit.create()).start();
  for (const kid of kids) {
    kms.addKey(kid);
    vault.addKey(kid);
  }
  const services: FakeServices = {
    kms: { endpoint: kms.endpoint, region: kms.region, ...kms.credentials },
    vault: { address: vault.address, ca: vault.caCert, token: vault.addToken({ ttl: 0, renewable: false }) },
  };
  process.send?.(services);
  process.once('disconnect', () => process.exit(0));
}

if (process.send !== undefined) void serve(process.argv.slice(2));
