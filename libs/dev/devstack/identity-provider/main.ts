import { openIdentityProviderSecrets } from './identity-provider-secrets';
import { startDevelopmentProvider } from './development-provider';

/** The development identity provider as a process of the development stack, which starts it with these. */
async function main([port, webOrigin, secretsFile]: readonly string[]): Promise<void> {
  if (port === undefined || webOrigin === undefined || secretsFile === undefined) {
    throw new Error('usage: main.js <port> <origin of the kernel> <file of secrets>');
  }
  const secrets = await openIdentityProviderSecrets(secretsFile);
  const provider = await startDevelopmentProvider({ port: Number(port), webOrigin, secrets });
  process.stdout.write(`listens as ${provider.issuer}\n`);
  process.once('SIGTERM', () => void provider.close().then(() => process.exit(0)));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
