/** The next upgrade, rehearsed on a copy: from the images that run to those that are shipped, and back. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { imageSource } from '../../../config/docker/image-source';
import { distributionOf } from '../../../config/vault/vault';
import { dockerEngine } from '../../docker/docker';
import type { RunningImages } from '../../docker/running-images';
import { ExternalError } from '../../lib/errors';
import { writeFileAtomically } from '../../lib/files';
import type { Step } from '../../lib/step';
import type { LoadedEnvironment } from '../../state/load';
import type { DeployedVersions } from '../../state/notes/versions-note';
import { readToolchain } from '../../toolchain/findings';
import { buildImage } from '../../toolchain/images/push-images';
import { versionChanges } from '../../toolchain/version-changes';
import { shippedVersions } from '../../toolchain/versions';
import { newIdentity } from '../age/age-keys';
import { backUp } from '../backup';
import { type CopyImages, copyWithImages } from './copy';
import { type DrillObject, openObjects } from './objects';
import { type Facts, script, writeStep } from './rehearse';

/**
 * @param running the images of the environment
 * @param noted the versions that were deployed
 * @param folder of the drill
 * @param facts filled by the steps
 */
export function upgradeSteps(
  copy: LoadedEnvironment,
  running: RunningImages,
  noted: DeployedVersions | undefined,
  folder: string,
  facts: Facts,
): Step[] {
  const asShipped = readFileSync(copy.file, 'utf8');
  const writeCopy = (text: string): void => {
    writeFileAtomically(copy.file, text);
  };
  let objects: readonly DrillObject[] = [];
  let before: CopyImages | undefined;
  let shipped: CopyImages | undefined;
  const open = async (): Promise<string> => {
    await openObjects(copy, objects);
    facts.objectsSame = objects.length;
    return `${objects.length} are what was written`;
  };
  return [
    {
      title: 'Versions',
      run: async ({ signal, announce }) => {
        await script('toolchain', [copy.file], signal);
        const coming = await shippedVersions(copy.environment, readToolchain());
        const distribution = distributionOf(copy.environment);
        const { [distribution]: vault, kes, minio } = coming.programs;
        if (vault === undefined || kes === undefined || minio === undefined) throw new Error('a copy has all programs');
        shipped = { vault: vault.image, kes: kes.image, minio: minio.image };
        // no deploy has built it where the environment has no Vault of its own
        const source = imageSource({ environment: copy.environment, toolchain: readToolchain() }, distribution);
        if (running[distribution] === undefined && source.kind === 'build') {
          await buildImage(dockerEngine(copy.environment.docker), vault.image, source, signal);
        }
        before = {
          // a copy has a Vault of its own, also where the environment has none
          vault: running[distribution]?.[0] ?? shipped.vault,
          kes: running.kes?.[0] ?? shipped.kes,
          minio: running.minio?.[0] ?? shipped.minio,
        };
        const changes = versionChanges(
          { [distribution]: [before.vault], kes: [before.kes], minio: [before.minio] },
          noted,
          coming,
        ).filter(({ program }) => program !== undefined);
        facts.changes = changes.map(({ of, from, to }) => `${of}: from ${from} to ${to}`);
        for (const change of facts.changes) announce(change);
        if (changes.length === 0)
          throw new ExternalError('what runs is what is shipped, or nothing runs: no upgrade to rehearse');
        return undefined;
      },
    },
    {
      title: 'Deploy a copy with the images that run',
      run: async ({ signal }) => {
        if (before === undefined) throw new Error('the versions are not known');
        writeCopy(copyWithImages(asShipped, before));
        return script('up', [copy.file], signal);
      },
    },
    writeStep(copy, facts, (written) => {
      objects = written;
    }),
    {
      title: 'Back up',
      run: async () => {
        const identity = await newIdentity(path.join(folder, 'identity.txt'));
        const { bytes } = await backUp(copy, { kind: 'file', file: path.join(folder, 'backup.age') }, [identity]);
        facts.backupBytes = bytes;
        return `${bytes} bytes`;
      },
    },
    {
      title: 'Upgrade',
      run: async ({ signal }) => {
        writeCopy(asShipped);
        return script('up', [copy.file], signal);
      },
    },
    { title: 'Open every object', run: open },
    {
      title: 'MinIO and KES go back',
      run: async ({ signal }) => {
        if (before === undefined || shipped === undefined) throw new Error('the versions are not known');
        writeCopy(copyWithImages(asShipped, { ...before, vault: shipped.vault }));
        return script('up', [copy.file], signal);
      },
    },
    { title: 'Open every object again', run: open },
  ];
}
